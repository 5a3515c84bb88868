"""The whole station beside the inspection, with a broker and somebody at its page: its pace, and what kills do."""
