"""A host that wears six style sheets: five from npm (``npm ci`` in tests/browser), and a rough one of our own."""
