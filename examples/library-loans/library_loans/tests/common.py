from odoo.tests import TransactionCase


class LibraryCase(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.book = cls.env["library.book"].create({"name": "The Sea Around Us"})
        cls.member = cls.env["library.member"].create({"name": "Ada Marsh", "loan_days": 21})
        cls.other = cls.env["library.member"].create({"name": "Ben Okoye"})

    def lend(self, member=None, **values):
        loan = self.env["library.loan"].create({
            "book_id": self.book.id,
            "member_id": (member or self.member).id,
            **values,
        })
        loan.action_lend()
        return loan
