"""The assortment: invented brands, plain products, prices in cents."""

from dataclasses import dataclass

import numpy as np

_CATEGORIES = {
    "coffee": "Espresso beans;Filter coffee;Café crème;Decaf pods",
    "tea": "Earl Grey tin;Green tea;Rooibos;Peppermint infusion",
    "kitchen": "Chef's knife;Cast-iron pan;Crêpe pan;Mixing bowl;Rührschüssel",
    "garden": "Pruning shears;Watering can;Seed tray;Gießkanne",
    "books": "Cookbook;City guide;Crime novel;Atlas de poche",
    "toys": "Wooden train;Puzzle 500;Plüschbär;Kite",
    "home": "Wool blanket;Scented candle;Bougie parfumée;Door mat",
    "sport": "Yoga mat;Running socks;Bike light;Water bottle",
    "beauty": "Hand cream;Crème de nuit;Soap bar;Shampoo",
    "electronics": "USB-C cable;Desk lamp;Bluetooth speaker;Kopfhörer",
}
_BRANDS = ("Larkfield", "Nordhain", "Maison Verlune", "Bistritsa", "Tihoye", "Oakmere", "Blauwerk")


@dataclass(frozen=True)
class Product:
    """One article of the assortment."""

    product_id: str
    sku: str
    name: str
    category: str
    brand: str
    cents: int


def _assortment() -> tuple[Product, ...]:
    products: list[Product] = []
    for category, names in _CATEGORIES.items():
        for name in names.split(";"):
            for brand_at, brand in enumerate(_BRANDS):
                number = len(products) + 1
                cents = 199 + (number * 7_919 + brand_at * 353) % 14_800
                products.append(
                    Product(
                        product_id=f"p{number:05d}",
                        sku=f"SKU-{number:05d}",
                        name=f"{brand} {name}",
                        category=category,
                        brand=brand,
                        cents=cents // 10 * 10 + 9,
                    )
                )
    return tuple(products)


PRODUCTS = _assortment()
CATEGORIES = tuple(_CATEGORIES)
CENTS = np.array([product.cents for product in PRODUCTS], dtype=np.int64)


def money(cents: int) -> str:
    """1999 as 19.99, -500 as -5.00."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"
