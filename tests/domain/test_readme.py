"""The README of the package tells the truth."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "packages" / "domain" / "README.md"


def test_the_examples_run(capsys):
    """The examples of the README, one after the other, run syncs to their end."""
    names = {}
    printed = []
    for example in re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL):
        exec(compile(example, str(README), "exec"), names)  # noqa: S102 - it is our own README
        printed.append(capsys.readouterr().out.splitlines()[-1])
    assert "job 1 succeeded: started by us" == printed[0]
    assert printed[1].startswith("Airbyte job 2 ended: succeeded")
    assert "2:00:00 skip" == printed[2]
