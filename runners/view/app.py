"""The pages, as a server makes them: links and forms, no script."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ..reports.page import shown
from ..reports.templates import templates
from .book import Book
from .build import LEFT_OUT, UNREADABLE, stage_of
from .query import MOST_PAGES, PAGE_ROWS, SORTS, Filters, number_in
from .session import Session

_TEMPLATES = Path(__file__).parent
_OFFERED = 200


class Pages:
    def __init__(self, session: Session, threads: ThreadPoolExecutor) -> None:
        self._session, self._threads = session, threads
        self._templates = templates(_TEMPLATES)
        self._look = self._templates.get_template("look.css.j2").render() + self._templates.get_template("view.css.j2").render()

    def app(self) -> Starlette:
        routes = [
            Route("/", self._page(self.overview)),
            Route("/rows", self._page(self.rows)),
            Route("/row/{n:int}", self._page(self.row)),
            Route("/look.css", self.look),
            Route("/again", self.again, methods=["POST"]),
        ]
        return Starlette(routes=routes, exception_handlers={HTTPException: self.fault})

    def _page(self, make: Callable[[Request], str]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            try:
                text = await asyncio.get_running_loop().run_in_executor(self._threads, make, request)
            except HTTPException:
                raise
            except Exception as error:  # told in the page; a traceback on the terminal might hold what a model wrote
                return await self.fault(request, error)
            return Response(text.encode("utf-8", "replace"), media_type="text/html; charset=utf-8")

        return answer

    def _render(self, template: str, request: Request, **more: Any) -> str:
        run = self._session.shown.run
        return self._templates.get_template(template).render(
            title=run.title, root=request.scope["root_path"], state=self._session.state(), **more
        )

    # -- pages ------------------------------------------------------------------------------------------------

    def overview(self, request: Request) -> str:
        now = self._session.shown

        def link(turn: int = 0, **filters: str) -> str:
            if turn:
                filters["stage"] = stage_of(now.run, turn)
            return f"{request.scope['root_path']}/rows?{Filters(**filters).address()}"

        found = now.book.kept("overview", lambda: shown(now.figures))
        made = {name: value for name, value in found.items() if name != "title"}
        return self._render("overview.html.j2", request, **made, link=link, rows=now.book.rows)

    def rows(self, request: Request) -> str:
        book, details = self._session.shown.book, self._session.shown.details
        filters = Filters.of(request.query_params)
        numbers = book.choose(filters)
        last = max(1, -(-len(numbers) // PAGE_ROWS))
        page = min(max(1, number_in(request.query_params.get("page", ""), MOST_PAGES)), last)
        first = (page - 1) * PAGE_ROWS
        listed = [details.listed(place) for place in book.places(numbers[first : first + PAGE_ROWS])]
        return self._render(
            "rows.html.j2", request, filters=filters, listed=listed, count=len(numbers), first=first, page=page, last=last,
            choices=book.kept("choices", lambda: _choices(book)), sorts=SORTS,
        )  # fmt: skip

    def row(self, request: Request) -> str:
        book, details = self._session.shown.book, self._session.shown.details
        filters, n = Filters.of(request.query_params), request.path_params["n"]
        if n >= book.rows:
            raise HTTPException(404, "There is no such row.")
        numbers = book.choose(filters)
        at = number_in(request.query_params.get("at", ""), MOST_PAGES)
        is_among = at < len(numbers) and int(numbers[at]) == n
        before = (int(numbers[at - 1]), at - 1) if is_among and at > 0 else None
        after = (int(numbers[at + 1]), at + 1) if is_among and at + 1 < len(numbers) else None
        (place,) = book.places([n])
        return self._render(
            "row.html.j2", request, filters=filters, detail=details.whole(place), before=before, after=after,
            at=at, count=len(numbers) if is_among else 0, page=at // PAGE_ROWS + 1,
        )  # fmt: skip

    async def look(self, _: Request) -> Response:
        return Response(self._look, media_type="text/css; charset=utf-8")

    async def again(self, request: Request) -> Response:
        self._session.read_again()
        return RedirectResponse(f"{request.scope['root_path']}/", 303)

    async def fault(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        said = {404: "There is no such page.", 405: "Pages can be read, and nothing else."}.get(status, "")
        told = said or f"The page could not be made ({type(error).__name__}: {error})."
        text = self._render("fault.html.j2", request, told=told)
        return Response(text.encode("utf-8", "replace"), status, media_type="text/html; charset=utf-8")


def _choices(book: Book) -> dict[str, list[str]]:
    """What the form offers, in the order in which the run has it; reasons by how frequent they are."""
    found: dict[str, list[str]] = {}
    for name, order in (("stage", "min(n)"), ("verdict", "min(n)"), ("direction", "min(n)"), ("reason", "count(*) desc")):
        query = f"select {name} from rows where {name} != '' group by {name} order by {order}, {name} limit {_OFFERED}"  # noqa: S608
        found[name] = [value for (value,) in book.sql(query)]
    found["verdict"].sort(key=(LEFT_OUT, UNREADABLE).__contains__)  # what is no verdict comes last
    return found
