from datetime import date

from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged

from .common import LibraryCase


@tagged("post_install", "-at_install")
class TestLoan(LibraryCase):
    def test_due_date_follows_member(self):
        loan = self.lend(loan_date=date(2026, 11, 2))
        self.assertEqual(loan.due_date, date(2026, 11, 23))
        self.member.loan_days = 7
        self.assertEqual(loan.due_date, date(2026, 11, 9))

    def test_one_copy_one_borrower(self):
        self.lend()
        with self.assertRaises(ValidationError):
            self.lend(self.other)

    def test_late_loan_still_holds_the_book(self):
        loan = self.lend(loan_date=date(2020, 1, 1))
        self.env["library.loan"]._cron_mark_late()
        self.assertEqual(loan.state, "late")
        self.assertFalse(self.book.available)

    def test_return_only_when_out(self):
        loan = self.lend()
        loan.action_return()
        self.assertEqual(loan.state, "done")
        self.assertTrue(loan.returned_on)
        with self.assertRaises(UserError):
            loan.action_return()
