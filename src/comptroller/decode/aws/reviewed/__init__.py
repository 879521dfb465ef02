"""The reviewed map of AWS operations: one list a class, each rule with its reason.

Compiled into `index.json` by `tools/build_aws_index.py`; never read while serving. Classes of all rules that name an
operation add up and take the place of what the IAM access level says; they may only make it stricter. A name with a
wildcard never makes a read stricter, but for `reveal` and `infer`. What is exempt stands in `exempt.py`, by name.
"""

from __future__ import annotations

from comptroller.decode.aws.reviewed.blind import BLIND
from comptroller.decode.aws.reviewed.destroy import DESTROY
from comptroller.decode.aws.reviewed.entitle import ENTITLE
from comptroller.decode.aws.reviewed.execute import EXECUTE
from comptroller.decode.aws.reviewed.exempt import EXEMPT
from comptroller.decode.aws.reviewed.others import OTHERS
from comptroller.decode.aws.reviewed.pay import PAY
from comptroller.decode.aws.reviewed.provision import PROVISION
from comptroller.decode.aws.reviewed.reveal import REVEAL
from comptroller.decode.aws.reviewed.rule import Rule

REVIEWED: tuple[Rule, ...] = (*PROVISION, *PAY, *ENTITLE, *DESTROY, *BLIND, *EXECUTE, *REVEAL, *OTHERS)

EXCEPTIONS: tuple[Rule, ...] = EXEMPT

__all__ = ["EXCEPTIONS", "REVIEWED", "Rule"]
