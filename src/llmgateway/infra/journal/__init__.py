"""The journal: an append-only file that holds every record until the database has it."""

from llmgateway.infra.journal.writer import FileJournal, JournalSettings, JournalStats

__all__ = ["FileJournal", "JournalSettings", "JournalStats"]
