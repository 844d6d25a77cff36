"""Making weights: the corpus, pretraining, and fine-tuning."""
