"""One product carried out: its creates, updates and deletes, relisted and checked where that is called for.

Sends through `imageferry.transport`, and writes each intent ahead to the journal. Imports what `imageferry.runs` may import.
"""
