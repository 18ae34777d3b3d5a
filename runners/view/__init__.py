"""A whole run in the browser: `reexec view` (docs/view.md, decision 0110).

    folders    where indexes lie, and when one is out of date
    build      one pass over the run's files into an index
    words      which rows hold a word
    book       the index: rows chosen, counted and put in order
    overview   the report's figures, out of the index
    query      what a reader asked for, from and to the address
    detail     one row, as its file has it
    guard      who may ask: the token, the Host header, what a page may do
    app        the pages
    server     socket and signals

Needs the extra `report`; imported when the command is called.
"""
