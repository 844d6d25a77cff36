import struct

from minillama.checkpoint.bundled import bundled_model
from minillama.viz import hexview


def test_fields_of_a_gguf_file_cover_its_beginning_without_a_gap():
    data = bundled_model().read_bytes()[:400]
    fields = hexview.gguf_fields(data, pairs=5)
    assert [field.start for field in fields] == [0, *(field.stop for field in fields[:-1])]
    assert [field.value for field in fields[:2]] == ["'GGUF'", "3"]
    assert "'general.architecture'" in [field.value for field in fields]


def test_fields_end_where_the_bytes_do_and_before_a_list():
    data = b"GGUF" + struct.pack("<IQQ", 3, 7, 2) + struct.pack("<Q", 3) + b"key" + struct.pack("<IIQ", 9, 8, 4)
    fields = hexview.gguf_fields(data)
    assert fields[-1].what.startswith("type")
    assert fields[-1].value == "9"
    assert hexview.gguf_fields(data[:30])[-1].stop <= 30


def test_an_entry_says_its_dimensions_in_the_order_of_the_file():
    entry = struct.pack("<Q", 4) + b"w.w2" + struct.pack("<IQQIQ", 2, 256, 768, 1, 32)
    fields = hexview.tensor_fields(entry)
    assert [field.value for field in fields] == ["4", "'w.w2'", "2", "256", "768", "1", "32"]
    assert fields[-1].stop == len(entry)


def test_a_safetensors_file_has_a_length_a_text_and_the_rest():
    data = struct.pack("<Q", 5) + b'{"":1' + bytes(6)
    assert [(field.start, field.stop) for field in hexview.safetensors_fields(data)] == [(0, 8), (8, 13), (13, 19)]


def test_walking_scrolls_to_the_field_in_focus():
    data = bundled_model().read_bytes()[:400]
    fields = hexview.gguf_fields(data, pairs=5)
    control = hexview.walk(data, fields)
    assert control.sliders["step"] == (1, len(fields), 6)
    assert "key, 'general.architecture'" in control.alt
    for number in (1, len(fields)):
        title = control.draw(step=number).axes[0].get_title(loc="left")
        assert str(fields[number - 1].start) in title
        assert fields[number - 1].value in title
