from odoo import api, fields, models


class LibraryMember(models.Model):
    _name = "library.member"
    _description = "Member"
    _inherit = ["mail.thread"]
    _order = "name, id"

    name = fields.Char(required=True, tracking=True)
    email = fields.Char()
    loan_days = fields.Integer("Days per loan", default=14, help="How long this member may keep a book.")
    loan_ids = fields.One2many("library.loan", "member_id", string="Loans")
    late_count = fields.Integer("Late loans", compute="_compute_late_count")

    _sql_constraints = [
        ("loan_days_positive", "check (loan_days > 0)", "A loan lasts one day at least."),
    ]

    @api.depends("loan_ids.state")
    def _compute_late_count(self):
        for member in self:
            member.late_count = len(member.loan_ids.filtered(lambda loan: loan.state == "late"))
