"""Specifications of the usual futures roots, as data.

Sources: CME Group's contract specification page of each product and the rulebook chapter that it
names (given with each group); CFE's contract specification page for VX. Sizes and ticks were
compared with QuantConnect LEAN's symbol properties database. What neither could confirm is named
in the row's `unverified`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final, Literal

from infrastructure.exchange import expiry_rules as rules
from infrastructure.exchange.months import ALL_MONTHS, QUARTERLY
from infrastructure.exchange.price_formats import Decimals, Eighths, PriceFormat, ThirtySeconds

Delivery = Literal["cash", "physical"]


@dataclass(frozen=True, slots=True)
class ContractSpec:
    """Describe one futures product.

    Attributes:
        root: Globex code, such as ES.
        name: The exchange's name of it, shortened.
        group: What it belongs to: equity index, energy, metal, rate, grain, currency, livestock,
            volatility.
        exchange: CME, CBOT, NYMEX, COMEX or CFE.
        multiplier: Dollars that one unit of the quoted price is worth per contract.
        tick_size: Smallest price change of an outright order, in units of the quoted price.
        listed_months: Letters of the months that are listed.
        active_months: Letters of the months that carry the liquidity.
        price_format: How its prices are written.
        calendar: Name of its trading calendar in `calendars`.
        expiry_rule: Last trading day of a contract month.
        delivery: How it settles.
        first_notice_rule: First notice day, None where it comes after the last trading day or
            does not exist.
        roll_days: Calendar days before the last trading day (or first notice day if that comes
            first) at which this system moves to the next contract.
        currency: Currency of the multiplier.
        unverified: Names of the attributes that no source at hand confirmed.
    """

    root: str
    name: str
    group: str
    exchange: str
    multiplier: Decimal
    tick_size: Decimal
    listed_months: str
    active_months: str
    price_format: PriceFormat
    calendar: str
    expiry_rule: rules.ExpiryRule
    delivery: Delivery
    first_notice_rule: rules.ExpiryRule | None = None
    roll_days: int = 5
    currency: str = "USD"
    unverified: tuple[str, ...] = ()

    @property
    def tick_value(self) -> Decimal:
        """Return what one tick is worth per contract, in `currency`."""
        return self.tick_size * self.multiplier


def _equity(root: str, name: str, exchange: str, multiplier: str, tick: str) -> ContractSpec:
    # CME chapters 358 (ES) and 359 (NQ), CBOT chapter 27 (YM). The roll date is CME's: see
    # rolls.equity_index_roll_date, which takes the place of roll_days.
    return ContractSpec(
        root,
        name,
        "equity index",
        exchange,
        Decimal(multiplier),
        Decimal(tick),
        QUARTERLY,
        QUARTERLY,
        Decimals(0 if tick == "1" else 2),
        "CME_EQUITY",
        rules.equity_index,
        "cash",
    )


def _energy(
    root: str,
    name: str,
    multiplier: str,
    tick: str,
    places: int,
    rule: rules.ExpiryRule,
    delivery: Delivery = "physical",
) -> ContractSpec:
    # NYMEX chapters 200 (CL), 220 (NG), 150 (HO), 191 (RB), 698 (BZ).
    return ContractSpec(
        root,
        name,
        "energy",
        "NYMEX",
        Decimal(multiplier),
        Decimal(tick),
        ALL_MONTHS,
        ALL_MONTHS,
        Decimals(places),
        "CME_ENERGY",
        rule,
        delivery,
    )


def _metal(
    root: str, name: str, exchange: str, multiplier: str, tick: str, places: int, active: str
) -> ContractSpec:
    # COMEX chapters 113 (GC), 112 (SI), 111 (HG); NYMEX 105 (PL).
    return ContractSpec(
        root,
        name,
        "metal",
        exchange,
        Decimal(multiplier),
        Decimal(tick),
        ALL_MONTHS,
        active,
        Decimals(places),
        "CME_METALS",
        rules.metals,
        "physical",
        rules.notice_before_month,
    )


def _rate(
    root: str, name: str, multiplier: str, tick: str, parts: int, rule: rules.ExpiryRule
) -> ContractSpec:
    # CBOT chapters 18 (ZB), 40 (UB), 19 (ZN), 26 (TN), 20 (ZF), 21 (ZT).
    return ContractSpec(
        root,
        name,
        "rate",
        "CBOT",
        Decimal(multiplier),
        Decimal(tick),
        QUARTERLY,
        QUARTERLY,
        ThirtySeconds(parts),
        "CME_RATES",
        rule,
        "physical",
        rules.notice_before_month,
    )


def _grain(
    root: str, name: str, multiplier: str, tick: str, months: str, form: PriceFormat
) -> ContractSpec:
    # CBOT chapters 10 (ZC), 11 (ZS), 14 (ZW), 14H (KE), 13 (ZM), 12 (ZL).
    return ContractSpec(
        root,
        name,
        "grain",
        "CBOT",
        Decimal(multiplier),
        Decimal(tick),
        months,
        months,
        form,
        "CME_GRAINS",
        rules.grains,
        "physical",
        rules.notice_before_month,
    )


def _currency(
    root: str,
    name: str,
    multiplier: str,
    tick: str,
    places: int,
    rule: rules.ExpiryRule = rules.currency,
    unverified: tuple[str, ...] = (),
) -> ContractSpec:
    # CME chapters 261 (6E), 253 (6J), 251 (6B), 252 (6C), 255 (6A), 254 (6S), 258 (6N), 256 (6M).
    # Serial months are listed too; the quarterly ones carry the liquidity.
    return ContractSpec(
        root,
        name,
        "currency",
        "CME",
        Decimal(multiplier),
        Decimal(tick),
        ALL_MONTHS,
        QUARTERLY,
        Decimals(places),
        "CME_FX",
        rule,
        "physical",
        unverified=unverified,
    )


def _livestock(
    root: str,
    name: str,
    multiplier: str,
    months: str,
    rule: rules.ExpiryRule,
    delivery: Delivery,
    roll_days: int,
) -> ContractSpec:
    # CME chapters 101 (LE), 152 (HE), 102 (GF). Live cattle's notices begin in the contract month;
    # the day is not established, so it rolls a month before the last trading day.
    return ContractSpec(
        root,
        name,
        "livestock",
        "CME",
        Decimal(multiplier),
        Decimal("0.025"),
        months,
        months,
        Decimals(3),
        "CME_LIVESTOCK",
        rule,
        delivery,
        roll_days=roll_days,
        unverified=("first_notice_rule",) if delivery == "physical" else (),
    )


_SPECS: Final = (
    _equity("ES", "E-mini S&P 500", "CME", "50", "0.25"),
    _equity("MES", "Micro E-mini S&P 500", "CME", "5", "0.25"),
    _equity("NQ", "E-mini Nasdaq-100", "CME", "20", "0.25"),
    _equity("MNQ", "Micro E-mini Nasdaq-100", "CME", "2", "0.25"),
    _equity("YM", "E-mini Dow ($5)", "CBOT", "5", "1"),
    _equity("MYM", "Micro E-mini Dow", "CBOT", "0.5", "1"),
    _equity("RTY", "E-mini Russell 2000", "CME", "50", "0.1"),
    _equity("M2K", "Micro E-mini Russell 2000", "CME", "5", "0.1"),
    _energy("CL", "Crude Oil (WTI)", "1000", "0.01", 2, rules.crude_oil),
    _energy("MCL", "Micro WTI Crude Oil", "100", "0.01", 2, rules.micro_crude_oil, "cash"),
    _energy("NG", "Henry Hub Natural Gas", "10000", "0.001", 3, rules.natural_gas),
    _energy("HO", "NY Harbor ULSD", "42000", "0.0001", 4, rules.refined_products),
    _energy("RB", "RBOB Gasoline", "42000", "0.0001", 4, rules.refined_products),
    _energy("BZ", "Brent Last Day Financial", "1000", "0.01", 2, rules.brent, "cash"),
    _metal("GC", "Gold", "COMEX", "100", "0.1", 1, "GJMQVZ"),
    _metal("MGC", "Micro Gold", "COMEX", "10", "0.1", 1, "GJMQVZ"),
    _metal("SI", "Silver", "COMEX", "5000", "0.005", 3, "HKNUZ"),
    _metal("SIL", "Micro Silver (1,000 oz)", "COMEX", "1000", "0.005", 3, "HKNUZ"),
    _metal("HG", "Copper", "COMEX", "25000", "0.0005", 4, "HKNUZ"),
    _metal("PL", "Platinum", "NYMEX", "50", "0.1", 1, "FJNV"),
    _rate("ZB", "U.S. Treasury Bond", "1000", "0.03125", 1, rules.long_treasury),
    _rate("UB", "Ultra U.S. Treasury Bond", "1000", "0.03125", 1, rules.long_treasury),
    _rate("ZN", "10-Year T-Note", "1000", "0.015625", 2, rules.long_treasury),
    _rate("TN", "Ultra 10-Year T-Note", "1000", "0.015625", 2, rules.long_treasury),
    _rate("ZF", "5-Year T-Note", "1000", "0.0078125", 4, rules.short_treasury),
    _rate("ZT", "2-Year T-Note", "2000", "0.00390625", 8, rules.short_treasury),
    _grain("ZC", "Corn", "50", "0.25", "HKNUZ", Eighths()),
    _grain("ZW", "Chicago SRW Wheat", "50", "0.25", "HKNUZ", Eighths()),
    _grain("KE", "KC HRW Wheat", "50", "0.25", "HKNUZ", Eighths()),
    _grain("ZS", "Soybean", "50", "0.25", "FHKNQUX", Eighths()),
    _grain("ZM", "Soybean Meal", "100", "0.1", "FHKNQUVZ", Decimals(1)),
    _grain("ZL", "Soybean Oil", "600", "0.01", "FHKNQUVZ", Decimals(2)),
    _currency("6E", "Euro FX", "125000", "0.00005", 5),
    _currency("6J", "Japanese Yen", "12500000", "0.0000005", 7),
    _currency("6B", "British Pound", "62500", "0.0001", 4),
    _currency("6C", "Canadian Dollar", "100000", "0.00005", 5, rules.canadian_dollar),
    # LEAN and CME's pages of about 2020 give 0.0001 for the next three; CME is believed to have
    # halved them since. The finer grid contains the coarser one.
    _currency("6A", "Australian Dollar", "100000", "0.00005", 5, unverified=("tick_size",)),
    _currency("6S", "Swiss Franc", "125000", "0.00005", 5, unverified=("tick_size",)),
    _currency("6N", "New Zealand Dollar", "100000", "0.00005", 5, unverified=("tick_size",)),
    _currency("6M", "Mexican Peso", "500000", "0.00001", 5),
    _livestock("LE", "Live Cattle", "400", "GJMQVZ", rules.live_cattle, "physical", 30),
    _livestock("HE", "Lean Hogs", "400", "GJKMNQVZ", rules.lean_hogs, "cash", 10),
    _livestock("GF", "Feeder Cattle", "500", "FHJKQUVX", rules.feeder_cattle, "cash", 10),
    # CFE rulebook chapter 12. Weekly contracts (VX01 to VX53) are not in the table.
    ContractSpec(
        "VX",
        "Cboe Volatility Index",
        "volatility",
        "CFE",
        Decimal(1000),
        Decimal("0.05"),
        ALL_MONTHS,
        ALL_MONTHS,
        Decimals(2),
        "CFE",
        rules.volatility_index,
        "cash",
    ),
)

SPECS: Final[Mapping[str, ContractSpec]] = MappingProxyType({spec.root: spec for spec in _SPECS})
