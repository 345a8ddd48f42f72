"""Products, and those that inline price data makes by the way."""

import copy
from typing import Any

from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import invalid_parameter, refused
from dashboard.stripe_sandbox.lists import page
from dashboard.stripe_sandbox.resources import prices, tax_codes
from dashboard.stripe_sandbox.resources.common import deleted, save_changes, set_fields
from dashboard.stripe_sandbox.routing import operation
from dashboard.stripe_sandbox.search import search_page

PLAIN = (
    "active", "description", "images", "marketing_features", "metadata", "name", "package_dimensions", "shippable",
    "statement_descriptor", "unit_label", "url",
)  # fmt: skip


@operation("POST /v1/products")
def create(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    if "id" in params and ctx.get(params["id"]):
        raise invalid_parameter("id", f"Product already exists: {params['id']}", "resource_already_exists")
    product = new_product(ctx, params)
    if "default_price_data" in params:
        data = {**params["default_price_data"], "product": product["id"]}
        price = prices.new_price(ctx, data, product)
        ctx.emit("price.created", price)
        product["default_price"] = price["id"]
    ctx.emit("product.created", product)
    return ctx.save(product)


@operation("GET /v1/products/{id}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return ctx.need("product", id)


@operation("POST /v1/products/{id}")
def update(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    product = ctx.need("product", id)
    before = copy.deepcopy(product)
    _apply(ctx, product, params)
    if params.get("default_price"):
        product["default_price"] = ctx.need("price", params["default_price"], "default_price")["id"]
    product["updated"] = ctx.now
    return save_changes(ctx, product, before, "product.updated")


@operation("DELETE /v1/products/{id}")
def delete(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    product = ctx.need("product", id)
    if ctx.find("price", {"product": id}, limit=1):
        raise refused("This product cannot be deleted because it has one or more user-created prices.")
    ctx.emit("product.deleted", product)
    product["deleted"] = True
    ctx.save(product)
    return deleted(product)


@operation("GET /v1/products")
def index(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    where: dict[str, Any] = {"deleted": None}
    where |= {name: params[name] for name in ("active", "shippable", "type", "url") if name in params}
    if params.get("ids"):
        where["id"] = params["ids"]
    return page(ctx, "product", params, "/v1/products", where)


@operation("GET /v1/products/search")
def search(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    return search_page(ctx, "product", params, "/v1/products/search")


def new_product(ctx: Context, given: dict[str, Any], *, active: bool = True) -> dict[str, Any]:
    """A product from `product_data` or the parameters of create; not yet told."""
    product = ctx.new(
        "product",
        id=given.get("id"),
        active=active,
        default_price=None,
        description=None,
        metadata={},
        tax_code=None,
        type=given.get("type", "service"),
        updated=ctx.now,
    )
    _apply(ctx, product, given)
    return ctx.save(product)


def _apply(ctx: Context, product: dict[str, Any], given: dict[str, Any]) -> None:
    set_fields(product, given, PLAIN)
    if product["package_dimensions"]:
        product["package_dimensions"] = {name: float(size) for name, size in product["package_dimensions"].items()}
    for name in ("images", "marketing_features"):
        product[name] = product[name] or []
    if not product.get("statement_descriptor"):
        product.pop("statement_descriptor", None)  # absent, never null
    details = given.get("tax_details")
    code = given.get("tax_code", (details or {}).get("tax_code") if isinstance(details, dict) else None)
    if code is not None:
        product["tax_code"] = tax_codes.check(code, "tax_code") if code else None
    if details is not None or code is not None:
        location = details.get("performance_location") if isinstance(details, dict) else None
        has_details = bool(product["tax_code"] or location)
        product["tax_details"] = (
            {"performance_location": location, "tax_code": product["tax_code"]} if has_details else None
        )
