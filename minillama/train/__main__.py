"""`torchrun --nproc-per-node N -m minillama.train pretrain …` is `minillama pretrain …` over N processes."""

from minillama.cli import main

main()
