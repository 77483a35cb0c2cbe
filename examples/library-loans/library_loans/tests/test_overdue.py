from datetime import date
from unittest import TestCase

from ..report.overdue import by_week, overdue

ROWS = [
    {"book": "A", "due_date": "2026-11-18", "returned_on": ""},
    {"book": "B", "due_date": "2026-11-20", "returned_on": ""},
    {"book": "C", "due_date": "2026-11-02", "returned_on": "2026-11-19"},
    {"book": "D", "due_date": "2026-11-03", "returned_on": ""},
]


class TestOverdue(TestCase):
    def test_late_from_the_first_full_day(self):
        late = overdue(ROWS, date(2026, 11, 20))
        self.assertEqual([row["book"] for row in late], ["D", "A"])
        self.assertEqual(late[0]["days_late"], 17)

    def test_weeks_are_counted(self):
        self.assertEqual(by_week(overdue(ROWS, date(2026, 11, 20))), {45: 1, 47: 1})
