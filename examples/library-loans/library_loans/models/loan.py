from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError


class LibraryLoan(models.Model):
    _name = "library.loan"
    _description = "Book loan"
    _inherit = ["mail.thread"]
    _order = "due_date, id"

    name = fields.Char(default=lambda self: _("New"), readonly=True, copy=False)
    book_id = fields.Many2one("library.book", required=True, ondelete="restrict")
    member_id = fields.Many2one("library.member", required=True, index=True)
    loan_date = fields.Date(default=fields.Date.context_today, required=True)
    due_date = fields.Date(compute="_compute_due_date", store=True, readonly=False)
    returned_on = fields.Date(readonly=True, copy=False)
    state = fields.Selection(
        [("draft", "Draft"), ("out", "On loan"), ("late", "Overdue"), ("done", "Returned")],
        default="draft",
        tracking=True,
    )

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            vals.setdefault("name", self.env["ir.sequence"].next_by_code("library.loan") or _("New"))
        return super().create(vals_list)

    @api.depends("loan_date", "member_id.loan_days")
    def _compute_due_date(self):
        for loan in self:
            days = loan.member_id.loan_days or 14
            loan.due_date = loan.loan_date + timedelta(days=days)

    @api.constrains("book_id", "state")
    def _check_book_available(self):
        # One copy, one borrower: a late loan still holds the book.
        for loan in self.filtered(lambda l: l.state in ("out", "late")):
            clash = self.search_count([
                ("book_id", "=", loan.book_id.id),
                ("state", "in", ("out", "late")),
                ("id", "!=", loan.id),
            ])
            if clash:
                raise ValidationError(_("%s is already on loan.", loan.book_id.name))

    def action_lend(self):
        self.ensure_one()
        if self.state != "draft":
            raise UserError(_("Only a draft can be lent."))
        self.state = "out"
        return True

    def action_return(self):
        self.ensure_one()
        if self.state not in ("out", "late"):
            raise UserError(_("Only a loan that is out can be returned."))
        self.write({"state": "done", "returned_on": fields.Date.context_today(self)})
        return True

    @api.model
    def _cron_mark_late(self):
        today = fields.Date.context_today(self)
        self.search([("state", "=", "out"), ("due_date", "<", today)]).write({"state": "late"})
