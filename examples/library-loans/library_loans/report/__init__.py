from . import overdue
