"""What a job may be called when its author means harm."""

HOSTILE = (
    "<script>alert(1)</script>",
    "</title></style></pre><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "javascript:alert(1)",
    "[click](javascript:alert(1)) ![x](https://evil.example/x.png)",
    "<https://evil.example/>",
    "` ``` code ends here` **bold**",
    "| another | column |",
    "a\u202egnp.exe",
    "\u2066\u2067isolated\u2069",
    "line one\nline two\r\n# a heading\x0b\x0c\x85\u2028",
    "\x1b[31mred\x1b[0m\x07\x00",
    "\ud800 lone surrogate",
    "&lt;already&gt; &amp;",
    "\ufeff\u200bhidden",
)
EVERYTHING = " ".join(HOSTILE)
