"""Names that try to get out: of a path, of SQL, of a page, of a line of the terminal.

Whatever a delivery names, tables, columns, files or values, may be one of these.
"""

import re

CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
TRAVERSALS = (
    "../../etc/passwd",
    "..",
    ".",
    "/etc/passwd",
    "..\\..\\windows",
    "a/../../b",
    "~/x",
    "//x",
)
SQL = (
    "'; DROP SCHEMA csq CASCADE; --",
    '"; DROP TABLE csq.users; --',
    "a\"'`\\b",
    "$$;SELECT 1;$$",
    "{name} %s ? :a $1 {{ x }} {% x %}",
)
CONTROLS = (
    "nul\0l",
    "line\nbreak\r\n\ttab",
    "\x1b[31mred\x1b]0;title\x07\x1b[2J",
    "\u202egnp.exe\u2066",
    "\x9b31m\x85\u2028",
)
MARKUP = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></style><svg onload=alert(1)>",
    "[click](javascript:alert(1)) ![](https://example.com/x)",
    "| a | b |\n|---|---|\n# head `code` **b** <!-- x -->",
    "&lt;b&gt;&#0;",
)
LENGTHS = ("n" * 1_000, "é" * 1_000, "購" * 86)
DEVICES = ("CON", "nul", "COM1.txt", "aux.avro", "/dev/zero", "LPT1 ")
OTHERS = (" ", " a ", "-rf", "*?[x]", "a%2Fb%00", "main", "csq", "sqlite_master", "größe 日", "🦆")

HOSTILE_NAMES = (*TRAVERSALS, *SQL, *CONTROLS, *MARKUP, *LENGTHS, *DEVICES, *OTHERS)
