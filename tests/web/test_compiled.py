"""A template is compiled once for all processes, and anew when it or what compiles it was changed."""

from jinja2 import DictLoader, Environment

from web import compiled
from web.compiled import Compiled


class Compiling(Environment):
    """Counts how often it had to compile."""

    times = 0

    def compile(self, *arguments, **options):
        self.times += 1
        return super().compile(*arguments, **options)


def another_process(folder, text="Hello {{ name }}"):
    """Reads the template, and says what it is and how many it compiled."""
    here = Compiling(loader=DictLoader({"page.html": text}), bytecode_cache=Compiled(folder))
    return here.get_template("page.html").render(name="Ann"), here.times


def test_what_one_process_compiled_others_read(tmp_path):
    assert [another_process(tmp_path) for _ in range(2)] == [("Hello Ann", 1), ("Hello Ann", 0)]


def test_a_template_that_was_changed_is_compiled_anew(tmp_path):
    another_process(tmp_path)
    assert another_process(tmp_path, "Goodbye {{ name }}") == ("Goodbye Ann", 1)


def test_after_a_change_of_our_code_all_is_compiled_anew(tmp_path, monkeypatch):
    another_process(tmp_path)
    monkeypatch.setattr(compiled, "newest", lambda: 7)
    assert another_process(tmp_path) == ("Hello Ann", 1)


def test_where_nothing_can_be_written_each_process_compiles_for_itself(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    assert [another_process(tmp_path / "new") for _ in range(2)] == [("Hello Ann", 1)] * 2
