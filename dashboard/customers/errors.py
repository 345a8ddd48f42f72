"""Refusals of this room."""

from dashboard.kit.errors import Conflict, Gone, NotFound


class CustomerNotFound(NotFound):
    code = "customer_not_found"
    remedy = "Check the id or key, or look in the list of customers."


class CustomerDeleted(Gone):
    """It is kept to be read, nothing more can be done with it."""

    code = "customer_deleted"
    remedy = "Create a new customer; the key and the subjects of a deleted one can be used again."


class CustomerKeyTaken(Conflict):
    code = "customer_key_taken"
    remedy = "Choose another key, or change the customer who has it."


class SubjectAlreadyAssigned(Conflict):
    """Usage of a subject counts for one customer only."""

    code = "subject_already_assigned"
    remedy = "Take the subject away from the other customer first."


class SubjectNotFound(NotFound):
    code = "subject_not_found"
    remedy = "Make it first, or look in the list of subjects. Usage is counted under any name, known or not."


class CustomerStillBilled(Conflict):
    """Something unfinished hangs on this customer; `details["reasons"]` lists it."""

    code = "customer_still_billed"
    remedy = "Finish or delete what is listed, then delete the customer."
