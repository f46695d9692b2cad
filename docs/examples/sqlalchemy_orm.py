"""The ORM of SQLAlchemy on mesahub.

Run: ``pip install "mesahub[sqlalchemy]"``, then ``python sqlalchemy_orm.py [URL]``.
"""

from __future__ import annotations

import sys
from decimal import Decimal

from sqlalchemy import ForeignKey, Numeric, create_engine, exc, func, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    orders: Mapped[list[Order]] = relationship(back_populates="customer", cascade="all, delete-orphan")


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    total: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    customer: Mapped[Customer] = relationship(back_populates="orders")


def main(url: str) -> None:
    engine = create_engine(url)
    Base.metadata.create_all(engine)

    with Session(engine) as session:
        session.add_all(
            Customer(email=f"{number}@example.com", orders=[Order(total=Decimal("9.90")), Order(total=Decimal("1.10"))])
            for number in range(500)
        )
        session.commit()  # 500 + 1,000 rows with their keys, in 2 requests

    with Session(engine) as session:
        first = session.scalars(select(Customer).options(selectinload(Customer.orders)).order_by(Customer.id)).first()
        assert first is not None
        print(first.email, [order.total for order in first.orders])
        print("orders:", session.scalar(select(func.count()).select_from(Order)))

        statement = insert(Customer).values(email="0@example.com").on_conflict_do_nothing()
        print("upserted:", session.execute(statement.returning(Customer.id)).all())
        session.commit()

    with Session(engine) as session:
        session.add(Customer(email="0@example.com"))
        try:
            session.commit()
        except exc.IntegrityError as error:
            print("not stored:", error.orig)

    transactional = engine.dialect.default_isolation_level != "AUTOCOMMIT"
    print("transactions:", "yes" if transactional else "no: every statement takes effect at once")
    engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "mesahub+sqlite://")
