from odoo import api, fields, models
from odoo.exceptions import ValidationError


class LibraryBook(models.Model):
    _name = "library.book"
    _description = "Book"
    _order = "name, id"

    name = fields.Char("Title", required=True, index="trigram")
    author = fields.Char()
    isbn = fields.Char("ISBN", copy=False)
    shelf = fields.Char(help="Where it stands, e.g. B-12.")
    loan_ids = fields.One2many("library.loan", "book_id", string="Loans")
    available = fields.Boolean(compute="_compute_available", search="_search_available")

    _sql_constraints = [
        ("isbn_unique", "unique (isbn)", "Another book has this ISBN."),
    ]

    @api.depends("loan_ids.state")
    def _compute_available(self):
        for book in self:
            book.available = not any(loan.state in ("out", "late") for loan in book.loan_ids)

    def _search_available(self, operator, value):
        if operator not in ("=", "!="):
            raise NotImplementedError(operator)
        lent = self.env["library.loan"].search([("state", "in", ("out", "late"))])
        wants_available = (operator == "=") == bool(value)
        return [("id", "not in" if wants_available else "in", lent.book_id.ids)]

    @api.constrains("isbn")
    def _check_isbn(self):
        for book in self.filtered("isbn"):
            if not is_isbn13(book.isbn):
                raise ValidationError(self.env._("%s is no ISBN: its check digit is wrong.", book.isbn))


def is_isbn13(text):
    digits = [int(char) for char in text if char.isdigit()]
    if len(digits) != 13:
        return False
    return sum(digit * (3 if at % 2 else 1) for at, digit in enumerate(digits)) % 10 == 0
