"""The shop on the web: `uvicorn api:app`."""

from functools import cache
from typing import Annotated

from fastapi import Body, Depends, FastAPI, HTTPException
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

import config
import database
import files
from jobs import Product, Width, fulfil_order, make_thumbnail, send_mail
from orpheus import Client, outbox
from orpheus.client import Unavailable

app = FastAPI(title="Shop")


@cache
def client() -> Client:
    """Return the client of the whole program: its threads share it. It reads orpheus.toml."""
    return Client()


Orpheus = Annotated[Client, Depends(client)]


class Order(BaseModel):
    """What a customer orders."""

    customer: str
    product: Product
    count: int = Field(default=1, ge=1)


@app.post("/orders", status_code=201)
def place_order(wanted: Order, orpheus: Orpheus) -> dict[str, int | None]:
    """Take an order.

    No order may be forgotten, so the order and the job that fulfils it are one commit. The mail is
    no part of that: without Orpheus, the order is taken all the same.
    """
    with database.transaction() as shop:
        order = shop.execute(
            "INSERT INTO orders (customer, product, count) VALUES (?, ?, ?)",
            (wanted.customer, wanted.product, wanted.count),
        ).lastrowid
        assert order is not None
        outbox.add(shop, fulfil_order.new(order=order))
    try:
        mail = orpheus.submit(send_mail.new(order=order, subject="Thank you for your order"))
    except Unavailable:
        return {"order": order, "mail": None}
    return {"order": order, "mail": mail.id}


@app.put("/orders/{order}/approval", status_code=202)
def approve(order: int, approved: Annotated[bool, Body(embed=True)], orpheus: Orpheus) -> None:
    """Approve or refuse a large order. The first decision counts."""
    orpheus.signal("approval", order, {"approved": approved})


@app.put("/pictures/{product}", status_code=202)
def upload_picture(
    product: Product,
    picture: Annotated[bytes, Body(media_type="image/x-portable-pixmap")],
    orpheus: Orpheus,
) -> dict[str, list[int]]:
    """Keep a picture of a product, and have its thumbnails made."""
    files.replace(config.PICTURES / f"{product}.ppm", picture)
    sizes = (64, 256)
    return {"jobs": orpheus.submit_many(make_thumbnail.new(product, width) for width in sizes)}


@app.get("/pictures/{product}/{width}")
def thumbnail(product: Product, width: Width) -> FileResponse:
    """Return a thumbnail, once it is made."""
    path = config.PICTURES / f"{product}-{width}.png"
    if not path.exists():
        raise HTTPException(404, "there is no such thumbnail (yet)")
    return FileResponse(path)
