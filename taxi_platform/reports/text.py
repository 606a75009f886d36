"""Numbers as people read them."""

MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"  # stands where a number is missing

_UNITS = ((1e9, "bn"), (1e6, "M"), (1e3, "k"))


def whole(number: float) -> str:
    """Return a number with every digit: ``5,605,113``."""
    return f"{number:,.0f}"


def brief(number: float) -> str:
    """Return a number with three digits: ``5.61 M``."""
    for size, unit in _UNITS:
        if abs(number) >= 0.9995 * size:
            return f"{number / size:.3g} {unit}" if abs(number) < 999.5 * size else f"{number / size:,.0f} {unit}"
    return f"{number:,.0f}" if abs(number) >= 100 or number == int(number) else f"{number:.3g}"


def dollars(number: float) -> str:
    """Return an amount to the cent: ``$1,234.50``."""
    return f"{MINUS if number < 0 else ''}${abs(number):,.2f}"


def brief_dollars(number: float) -> str:
    """Return an amount with three digits: ``$71.2 M``."""
    return f"{MINUS if number < 0 else ''}${brief(abs(number))}"


def share(part: float, total: float) -> str:
    """Return a share in per cent; only zero is written as zero: ``37.3 %``, ``0.45 %``, ``< 0.01 %``."""
    if not total or not part:
        return "0 %"
    percent = 100 * part / total
    if percent < 0.01:
        return "< 0.01 %"
    return f"{percent:.1f} %" if percent >= 1 else f"{percent:.2f} %"
