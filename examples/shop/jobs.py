"""The jobs of the shop.

After a crash a job runs again. So each of them either asks whether its work is done already, or
does the same work again: the key of a mail, a file that is replaced. `fulfil_order` keeps what it
has done, and goes on there.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from pydantic import Field

import config
import database
import files
import mail
import partners
import pictures
from orpheus import Context, SignalTimeout, job

Product = Annotated[str, Field(pattern="^[a-z0-9-]{1,40}$")]
Width = Annotated[int, Field(ge=1, le=512)]
CENTS_A_PIECE = 25_00
APPROVE_OVER = 500_00


@job(queue="mail", max_retries=5, timeout="30s")
def send_mail(ctx: Context, order: int, subject: str) -> dict[str, bool]:
    """Mail the customer of an order: once, however often this job runs."""
    with database.transaction() as shop:
        query = "SELECT customer FROM orders WHERE id = ?"
        [(customer,)] = shop.execute(query, (order,)).fetchall()
    is_new = mail.send(f"job-{ctx.job_id}", customer, order, subject)
    ctx.log.info("mailed", to=customer, is_new=is_new)
    return {"is_new": is_new}


@job(max_retries=10, timeout="30s")
def fulfil_order(ctx: Context, order: int) -> str:
    """Charge, ship and mail an order: a durable function, which does each of them once.

    A person approves what costs more than APPROVE_OVER, by the signal `approval` with the order as
    its key. It may come hours later, and no worker waits for it.
    """
    amount = ctx.step("price", price, order)
    ctx.step("charge", partners.charge, ctx.idempotency_key("charge"), order, amount)
    if amount > APPROVE_OVER and not is_approved(ctx, order):
        ctx.step("refund", partners.refund, ctx.idempotency_key("refund"), order)
        ctx.gather("mails", [send_mail.new(order, "We cannot take your order")])
        return "refused"
    parcel = ctx.step("ship", partners.ship, ctx.idempotency_key("ship"), order)
    mails = ("Your invoice", "Your order is on its way")
    ctx.gather("mails", [send_mail.new(order, subject) for subject in mails])
    return parcel


def is_approved(ctx: Context, order: int) -> bool:
    """Return what a person has decided; nobody decided within a week: no."""
    try:
        decision = ctx.wait_signal("approval", key=order, timeout="7d")
    except SignalTimeout:
        return False
    return bool(decision["approved"])


def price(order: int) -> int:
    """Return what an order costs, in cents."""
    with database.transaction() as shop:
        [(count,)] = shop.execute("SELECT count FROM orders WHERE id = ?", (order,)).fetchall()
    return int(count) * CENTS_A_PIECE


@job(queue="pictures", timeout="2m", permanent=(pictures.NotAPicture,))
def make_thumbnail(ctx: Context, product: Product, width: Width) -> str:
    """Make a small picture of a product; what is no picture fails at once, without retries."""
    picture = pictures.read_ppm((config.PICTURES / f"{product}.ppm").read_bytes())
    height = pictures.height_for(picture, width)
    rows = []
    for row in pictures.smaller_rows(picture, width):
        rows.append(row)
        ctx.progress(len(rows) / height)
        ctx.check_cancelled()
    thumbnail = config.PICTURES / f"{product}-{width}.png"
    files.replace(thumbnail, pictures.png(width, rows))
    return str(thumbnail)


@job
def daily_report(ctx: Context, day: date | None = None) -> dict[str, int]:
    """Write down what was ordered on a day, by default yesterday (UTC)."""
    day = day or datetime.now(UTC).date() - timedelta(days=1)
    query = "SELECT product, sum(count) FROM orders WHERE date(ordered_at) = ? GROUP BY product"
    with database.transaction() as shop:
        counts = dict(shop.execute(query, (day.isoformat(),)))
    lines = "".join(f"{product},{count}\n" for product, count in sorted(counts.items()))
    files.replace(config.REPORTS / f"{day}.csv", f"product,count\n{lines}".encode())
    ctx.log.info("report", day=str(day), products=len(counts))
    return counts
