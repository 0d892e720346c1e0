"""The jobs of the shop.

After a crash a job runs again. So each of them either asks whether its work is done already, or
does the same work again: the key of a mail, a file that is replaced.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from pydantic import Field

import config
import database
import files
import mail
import pictures
from orpheus import Context, job

Product = Annotated[str, Field(pattern="^[a-z0-9-]{1,40}$")]
Width = Annotated[int, Field(ge=1, le=512)]


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
def ship_order(ctx: Context, order: int) -> None:
    """Ship an order; the mail about it is submitted if, and only if, this succeeds."""
    with database.transaction() as shop:
        shop.execute(
            "UPDATE orders SET shipped_at = CURRENT_TIMESTAMP WHERE id = ? AND shipped_at IS NULL",
            (order,),
        )
    ctx.enqueue(send_mail.new(order=order, subject="Your order is on its way"))


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
