"""One product carried out: its creates, updates and deletes, relisted and checked where that is called for.

Sends through `engine.transport`, and writes each intent ahead to the journal. Imports what `engine.runs` may import.
"""
