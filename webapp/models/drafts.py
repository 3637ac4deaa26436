"""What was typed into a form and not sent, kept for a short time."""

from datetime import datetime

from sqlalchemy import JSON, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Instant, Model, new_id
from .columns import Id, account_part, reference


class Draft(Model):
    """The fields of one form, as one owner typed them. Only this owner gets them back."""

    __tablename__ = "draft"
    __table_args__ = (UniqueConstraint("account_id", "member_id", "form"), reference("member", member_id="id"))
    account_id: Mapped[str] = account_part()
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    member_id: Mapped[str] = mapped_column(Id)
    form: Mapped[str] = mapped_column(String(40))
    fields: Mapped[dict[str, str]] = mapped_column(JSON)
    kept_at: Mapped[datetime] = mapped_column(Instant, index=True)
