"""Our own OpenAPI document, and a page that shows it. The page is one file: no script or style from elsewhere."""

import html
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, PackageLoader

router = APIRouter(include_in_schema=False)

WEBHOOK_PATH = "/api/v1/apps/{app_id}/stripe/webhook"
_METHODS = ("get", "post", "put", "patch", "delete")
_templates = Environment(loader=PackageLoader("dashboard.api", "templates"), autoescape=True)
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}


@router.get("/api/openapi.json")
async def openapi_document(request: Request) -> JSONResponse:
    """What this server takes and answers, as OpenAPI."""
    return JSONResponse(openapi_of(request.app))


@router.get("/api/docs")
async def docs_page(request: Request) -> HTMLResponse:
    """The same, to be read."""
    document = openapi_of(request.app)
    page = _templates.get_template("docs.html").render(
        title=document["info"]["title"],
        summary=document["info"].get("summary", ""),
        groups=_groups(document),
        schemas=document.get("components", {}).get("schemas", {}),
        shape=lambda schema: _shape(schema),
    )
    return HTMLResponse(page, headers=_HEADERS)


@lru_cache(maxsize=1)
def openapi_of(app: FastAPI) -> dict[str, Any]:
    """The document of `app`, with its bearer keys."""
    document = get_openapi(title=app.title, version="1", summary=app.summary, routes=app.routes)
    document.setdefault("components", {})["securitySchemes"] = {"apiKey": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"apiKey": []}]
    document["paths"].get(WEBHOOK_PATH, {}).get("post", {})["security"] = []
    for operation in _operations(document):
        # We answer these with problem documents, which OpenAPI cannot say once for all operations.
        operation["responses"].pop("422", None)
        operation["responses"]["default"] = {"description": "A problem document (application/problem+json)."}
    return document


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in document["paths"].values():
        for method in _METHODS:
            if method in item:
                yield item[method]


def _groups(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Tag → its operations."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if operation := item.get(method):
                body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
                found.setdefault(operation.get("tags", ["Other"])[0], []).append(
                    {
                        "method": method.upper(),
                        "path": path,
                        "summary": operation.get("description") or operation.get("summary", ""),
                        "parameters": operation.get("parameters", []),
                        "body": _shape(body) if body else "",
                        "success": next(iter(operation["responses"]), ""),
                    }
                )
    return found


def _shape(schema: Any) -> str:
    """A schema in a few words, with links to named ones. Safe HTML."""
    if not isinstance(schema, dict):
        return "anything"
    if reference := schema.get("$ref"):
        name = html.escape(reference.rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    for word in ("anyOf", "oneOf", "allOf"):
        if options := schema.get(word):
            shown = [_shape(option) for option in options if option.get("type") != "null"]
            return " or ".join(dict.fromkeys(shown))
    if "enum" in schema or "const" in schema:
        values = schema.get("enum") or [schema["const"]]
        return " | ".join(html.escape(str(value)) for value in values)
    if schema.get("type") == "array":
        return f"list of {_shape(schema.get('items', {}))}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"map of {_shape(schema['additionalProperties'])}"
    return html.escape(str(schema.get("format") or schema.get("type") or "anything"))
