"""One executor behind HTTP, for programs that cannot have one of their own: `reexec serve` (docs/service.md).

    server      sockets, signals, slow peers          (uvicorn)
    guard       who may ask, and how much: before any route
    app         the routes of /v1                      (FastAPI)
    sandbox_fusion, open_instruct   other people's routes
    desk        what is on its way, and who is refused
    work        one call through the executor, to its bytes
    metrics     what Prometheus reads

Needs the extra `serve`; imported when the command is called.
"""
