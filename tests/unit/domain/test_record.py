"""Rows: flat lists whose columns have one order everywhere."""

import msgspec

from llmgateway.domain.record import ATTEMPT_COLUMNS, EXCHANGE_COLUMNS, AttemptRow, ExchangeRow, LogRecord


def example() -> LogRecord:
    fields = {field.name: _value(str(field.type)) for field in msgspec.structs.fields(ExchangeRow)}
    tried = {field.name: _value(str(field.type)) for field in msgspec.structs.fields(AttemptRow)}
    return LogRecord(
        msgspec.convert(list(fields.values()), ExchangeRow), (msgspec.convert(list(tried.values()), AttemptRow),)
    )


def _value(of_type: str) -> object:
    if "str" in of_type:
        return "text"
    return True if "bool" in of_type else 7


def test_a_record_travels_as_one_flat_list_per_row_in_the_order_of_the_columns() -> None:
    record = example()
    exchange, attempts = msgspec.json.decode(msgspec.json.encode(record))
    assert dict(zip(EXCHANGE_COLUMNS, exchange, strict=True)) == msgspec.structs.asdict(record.exchange)
    assert dict(zip(ATTEMPT_COLUMNS, attempts[0], strict=True)) == msgspec.structs.asdict(record.attempts[0])


def test_a_record_reads_back_as_it_was_written() -> None:
    record = example()
    assert msgspec.json.decode(msgspec.json.encode(record), type=LogRecord) == record


def test_no_column_can_hold_more_than_its_database_type() -> None:
    """Money and counts are integers, so a sum never drifts; there is no float column."""
    kinds = [str(field.type) for row in (ExchangeRow, AttemptRow) for field in msgspec.structs.fields(row)]
    assert not any("float" in kind for kind in kinds)


def test_names_are_unique_and_say_their_unit() -> None:
    for columns in (EXCHANGE_COLUMNS, ATTEMPT_COLUMNS):
        assert len(set(columns)) == len(columns)
        timed = [name for name in columns if name.startswith(("started", "duration", "ttf"))]
        assert all(name.endswith("_us") for name in timed)
