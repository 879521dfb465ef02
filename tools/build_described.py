"""Writes the operation tables of `github.yaml` and `slack.yaml` in `src/comptroller/decode/described/services`.

The facts come from what the services publish themselves: GitHub's OpenAPI description and GraphQL schema (MIT; npm
packages `@octokit/openapi` and `@octokit/graphql-schema`), and the method names in Slack's own SDK (MIT; `slack_sdk`).
What each operation does is decided by the rules below, the first that matches; the result is read and diffed in review.

    python tools/build_described.py github api.github.com.json schema.graphql
    python tools/build_described.py slack slack_sdk/web/client.py
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "src/comptroller/decode/described/services"
MARK = "operations:\n"

GITHUB = [
    # what only looks, though it is no GET
    (r"POST /markdown|attestations/bulk-list|releases/generate-notes|POST /applications/[^/]+/token$", "read"),
    # secrets that are handed out
    (r"GET .*secret-scanning/alerts", "reveal"),
    (r"POST .*(access_tokens|runners/(registration|remove)-token|generate-jitconfig|/conversions)$", "reveal entitle"),
    (r"(PATCH|POST) /applications/.*/token", "reveal entitle"),
    (r"GET ", "read"),
    # what runs code elsewhere
    (r"POST .*/codespaces$|POST /user/codespaces/[^/]+/(start|publish)$|pulls/[^/]+/codespaces", "provision execute"),
    (r"POST .*actions/hosted-runners$|PATCH .*actions/hosted-runners/", "provision execute"),
    (r"PUT .*/(actions|codespaces|dependabot|agents)/secrets/[^/]+$", "entitle execute"),
    (r"PUT .*/environments/[^/]+/secrets/[^/]+$|PUT /user/codespaces/secrets/[^/]+$", "entitle execute"),
    (r"(PUT|POST|DELETE|PATCH) .*/secrets/.*repositories", "entitle"),
    (r"(POST|PATCH) .*/variables", "write execute"),
    (r"PUT .*/variables/.*repositories|DELETE .*/variables/.*repositories", "entitle"),
    (r"POST .*(/dispatches|/rerun|/rerun-failed-jobs|/rerequest|rerequest)$", "execute"),
    (r"POST .*(runs/[^/]+/approve|pending_deployments|deployment_protection_rule)$", "execute entitle"),
    (r"POST .*(agents/.*tasks|variant-analyses|pages/builds|pages/deployments|/deployments)$", "execute"),
    (r"PUT .*actions/workflows/[^/]+/enable$|merge-upstream", "execute"),
    (r"POST .*hooks?/.*(attempts|pings|tests)$", "communicate"),
    (r"PUT .*contents/", "write"),
    # guardrails
    (r"DELETE .*(vulnerability-alerts|automated-security-fixes|private-vulnerability-reporting)$", "blind"),
    (r"DELETE .*immutable-releases", "blind"),
    (r"PUT .*settings/immutable-releases", "write blind"),
    (r"secret-scanning/push-protection-bypasses", "blind"),
    (r"PATCH .*(secret-scanning|code-scanning|dependabot)/(alerts|pattern-configurations|custom-patterns)", "blind"),
    (r"(POST|DELETE) .*secret-scanning/custom-patterns", "write blind"),
    (r"DELETE .*code-scanning/analyses", "destroy blind"),
    (r"PATCH .*code-scanning/default-setup|PATCH .*code-quality", "write blind"),
    (r".*code-security/configurations|POST .*security_product", "write blind"),
    (r"DELETE .*(rulesets|/protection|tags/protection|protection-rules)", "destroy blind entitle"),
    (r"(PUT|POST|PATCH) .*(rulesets|/protection|tags/protection|protection_rules)", "entitle blind"),
    (r".*(repository-access|copilot/content_exclusion|interaction-limits)", "write blind"),
    (r"DELETE .*/hooks/", "destroy blind"),
    (r"DELETE .*(organization-roles|security-managers)/teams", "entitle"),
    (r"(POST|PATCH) .*/hooks?(/|$)", "entitle"),
    (r"DELETE .*/autolinks", "destroy"),
    (r"DELETE .*/budgets", "destroy blind"),
    (r"(PATCH|POST) .*budgets", "write blind"),
    # who may do what
    (
        r"DELETE .*(/teams|/runner-groups|/runners|/environments|private-registries|codespaces)/[^/]+$",
        "entitle destroy",
    ),
    (r"DELETE .*network-configurations/", "entitle destroy"),
    (r"DELETE .*/keys/|DELETE .*(gpg_keys|ssh_signing_keys)/", "entitle destroy"),
    (r"POST .*/keys$|POST .*(gpg_keys|ssh_signing_keys)$", "entitle"),
    (r"/credentials/revoke|DELETE /applications|DELETE /installation|DELETE /app/", "entitle destroy"),
    (
        r".*(collaborators|invitations|repository_invitations|memberships|/members/|public_members|/invitation)",
        "entitle",
    ),
    (r".*(organization-roles|outside_collaborators|security-managers|personal-access-token)", "entitle"),
    (r".*/(teams|enterprise-team)(/|$)", "entitle"),
    (r".*(actions/permissions|runner-groups|oidc|/suspended|installations/.*/repositories|/runners)", "entitle"),
    (r".*(copilot/billing)", "provision entitle"),
    (r".*(coding-agent|coding_agent|actions/permissions/|codespaces/access|permissions)", "entitle"),
    (r".*(/environments/[^/]+$|deployment-branch-policies|deployment_protection_rules|private-registries)", "entitle"),
    (r"POST .*/transfer$", "entitle destroy"),
    (r"PATCH /orgs/\{org\}$|network-configurations", "entitle"),
    (r"(POST|PUT) .*/pages$", "write communicate"),
    (r"(PUT|DELETE) .*(user|orgs/[^/]+)/blocks/|email/visibility", "write"),
    (r"POST /user/emails$|DELETE /user/emails$", "entitle"),
    (r"POST .*/migrations$", "reveal write"),
    # what reaches people
    (r"POST .*(/comments|/replies|/reviews|/events|/reactions)$", "communicate"),
    (r"POST .*/(issues|pulls|discussions|releases|gists|security-advisories|reports|campaigns)$", "communicate"),
    (r"PUT .*reviews/[^/]+(/dismissals)?$", "communicate"),
    (r"POST .*(requested_reviewers|/assignees|/cve)$", "communicate"),
    (r"PATCH .*(/releases/[^/]+|/gists/[^/]+|/comments/[^/]+|security-advisories/[^/]+)$", "communicate"),
    # what can be put back
    (r"DELETE .*(/labels|/assignees|/star$|starred|/following|/subscription|/reactions/|requested_reviewers)", "write"),
    (r"DELETE .*(/lock$|/pin$|notifications/|/blocked_by/|sub_issue$|issue-field-values|/cancel$)", "write"),
    (r"DELETE .*", "destroy"),
    (r"POST .*(delete-request|force-cancel)$|PUT .*/import$", "destroy"),
    (r".*", "write"),
]
"""(pattern of `METHOD /path`, classes), in order. A GET that reveals stands before the rule for GET."""

GITHUB_REST = {
    "/repos/{owner}/{repo}/contents/{path}",
    "/repos/{owner}/{repo}/git/ref/{ref}",
    "/repos/{owner}/{repo}/git/refs/{ref}",
    "/repos/{owner}/{repo}/git/matching-refs/{ref}",
    "/repos/{owner}/{repo}/compare/{basehead}",
    "/repos/{owner}/{repo}/zipball/{ref}",
    "/repos/{owner}/{repo}/tarball/{ref}",
}
"""Paths whose last parameter may have slashes in it."""
GITHUB_FULL = {
    "repos/update": """
      - {at: /private, unless: [true], classes: [entitle, reveal]}
      - {at: /visibility, unless: [private], classes: [entitle, reveal]}
      - {at: /security_and_analysis, classes: [blind]}
      - {at: /archived, classes: [destroy]}
      - {at: /allow_forking, classes: [entitle]}""",
    "repos/create-in-org": "\n      - {at: /private, unless: [true], classes: [communicate]}",
    "repos/create-for-authenticated-user": "\n      - {at: /private, unless: [true], classes: [communicate]}",
    "git/update-ref": "\n      - {at: /force, unless: [false], classes: [destroy]}",
    "git/create-tree": '\n      - {at: "/tree/*/path", begins: [.github/], classes: [execute]}',
    "issues/update": "\n      - {at: /body, classes: [communicate]}",
    "pulls/update": "\n      - {at: /body, classes: [communicate]}",
}
GITHUB_EXTRA = """\
  # a file below .github/workflows runs at GitHub as soon as it is there
  "PUT /repos/{owner}/{repo}/contents/.github/{path...}":
    {name: repos/create-or-update-workflow-contents, classes: [write, execute]}
  "DELETE /repos/{owner}/{repo}/contents/.github/{path...}":
    {name: repos/delete-workflow-contents, classes: [destroy, execute]}
"""
GITHUB_FIELDS = [
    (r"delete(BranchProtectionRule|RepositoryRuleset|IpAllowListEntry)", "destroy blind entitle"),
    (
        r"(create|update)(BranchProtectionRule|RepositoryRuleset|IpAllowList.*)|.*NotificationRestriction.*",
        "blind entitle",
    ),
    (r"dismissRepositoryVulnerabilityAlert|set\w+InteractionLimit", "blind"),
    (r"regenerate.*", "reveal entitle"),
    (r"deleteVerifiableDomain|removeEnterprise\w+|removeOutsideCollaborator", "destroy entitle"),
    (r".*(VerifiableDomain|Enterprise(Admin|Member|Owner|Support|Identity|Organization)|MigratorRole).*", "entitle"),
    (r".*(Setting|Role|Permission|Invitation|Collaborator).*|updateTeamsRepository", "entitle"),
    (r"(accessUserNamespaceRepository|(create|update)Environment)$", "entitle"),
    (r".*(Sponsor|Patreon).*", "pay"),
    (r"(transferIssue|archiveRepository)$", "write destroy"),
    (r"(updateRepositoryVisibility|updateRepository)$", "entitle write"),
    (r"updateRefs?$", "write destroy"),
    (r"createCommitOnBranch|createDeployment|rerequestCheckSuite|(approve|reject)Deployments", "write execute"),
    (r"(add|update)(Comment|Discussion|PullRequestReview|IssueComment)", "communicate"),
    (r"create(Issue|PullRequest|Discussion|TeamDiscussion)|updateTeamDiscussion", "communicate"),
    (r"(submit|dismiss)PullRequestReview|requestReviews|reopen|.*ReviewThread", "communicate"),
    (r"clear[A-Z]|unmarkFileAsViewed|removeEnterpriseSupport", "write"),
    (r"delete[A-Z]", "destroy"),
]

SLACK = [
    (r"api\.test|auth\.(test|teams\.list)|blocks\.validate|apps\.manifest\.(validate|export)", "read"),
    (
        r"(apps|workflows)\..*\.list|.*(listConnectInvites|requestSharedInvite\.list)|admin\..*getCustomRetention",
        "read",
    ),
    (r"(views|dialog)\..*", "communicate"),
    (
        r"(oauth|openid)\..*token.*|oauth\..*|openid\.connect\.token|tooling\.tokens\.rotate|migration\.exchange",
        "reveal",
    ),
    (r"(rtm\.(connect|start)|apps\.connections\.open)", "reveal"),
    (r"admin\.analytics\.getFile|team\.(access|integration)Logs|admin\.users\.unsupportedVersions\.export", "reveal"),
    (r"auth\.revoke|apps\.uninstall|apps\.manifest\.delete|.*\.uninstall", "entitle destroy"),
    (r"admin\..*(retention|CustomRetention)$", "blind"),
    (r"admin\..*\.(list|getTeams|getEntities|lookup|search|info|getSettings|getExpiration|listAssignments)$", "read"),
    (
        r"admin\..*\.(listGroups|listChannels|getConversationPrefs|getCustomRetention|listOriginalConnectedChannelInfo)$",
        "read",
    ),
    (r"admin\..*(delete|bulkDelete|remove|bulkArchive)$", "entitle destroy"),
    (r"admin\.conversations\.(setCustomRetention|removeCustomRetention)", "blind destroy"),
    (r"admin\.barriers\..*", "blind entitle"),
    (r"admin\..*", "entitle"),
    (r"apps\.manifest\..*|apps\..*|functions\..*|workflows\..*", "execute"),
    (r"files\.sharedPublicURL|.*access\.set|.*access\.delete|.*invite.*|.*kick|.*Invite.*", "entitle communicate"),
    (
        r"usergroups\.(create|update|disable|enable)|usergroups\.users\.update|team\.externalTeams\.disconnect",
        "entitle",
    ),
    (r"files\.getUploadURLExternal", "write"),
    (r".*\.(list|info|get|history|replies|members|lookup|lookupByEmail|identity|getPresence|userInfo|search)$", "read"),
    (
        r".*\.(getPermalink|teamInfo|conversations|getContent|getCanvas|listViews|billableInfo|listConnectInvites)$",
        "read",
    ),
    (
        r"search\..*|team\..*|users\.(conversations|discoverableContacts)|emoji\.list|bots\.info|slackLists\.download\..*",
        "read",
    ),
    (r"chat\.(delete|deleteScheduledMessage)", "destroy"),
    (r"chat\..*|calls\..*|reminders\.add|files\.(upload|completeUploadExternal)|files\.remote\.share", "communicate"),
    (r"(assistant|agents|entity)\..*", "communicate"),
    (r"(im|mpim|groups|conversations)\.(open|close|leave|join|mark)|channels\.(join|leave|mark)", "write"),
    (r".*\.(delete|deleteMultiple|archive|deletePhoto|uninstall)$", "destroy"),
    (r".*", "write"),
]


SLACK_EXTRA = """\
  "POST /services/{team}/{hook}/{key}": {name: webhooks.post, classes: [communicate], body: [json, form]}
  "POST /upload/v1/{ticket}": {name: files.put, classes: [write], body: [raw, multipart]}
"""


def classes_of(rules: list[tuple[str, str]], text: str, otherwise: str = "write") -> str:
    """The classes of the first rule that matches."""
    return next((classes for pattern, classes in rules if re.match(pattern, text)), otherwise)


def github(api: Path, schema: Path) -> str:
    """The operations of GitHub."""
    document = json.loads(api.read_text("utf-8"))
    rows = [GITHUB_EXTRA.rstrip("\n")]
    for path, item in document["paths"].items():
        shown = re.sub(r"\{([a-z_]+)\}$", r"{\1...}", path) if path in GITHUB_REST else path
        shown = shown.replace("enterprise-team}", "enterprise_team}")
        for method in ("get", "post", "put", "patch", "delete"):
            if method not in item:
                continue
            operation = item[method]
            name = operation["operationId"]
            classes = classes_of([(f".*(?:{p})", c) for p, c in GITHUB], f"{method.upper()} {path}")
            content = set(operation.get("requestBody", {}).get("content", {"application/json"}))
            raw = not content <= {"application/json"}
            key = f'  "{method.upper()} {shown}":'
            listed = ", ".join(classes.split())
            if name in GITHUB_FULL:
                rows.append(f"{key}\n    name: {name}\n    classes: [{listed}]\n    when:{GITHUB_FULL[name]}")
            elif raw:
                rows.append(f"{key} {{name: {name}, classes: [{listed}], body: [raw]}}")
            else:
                rows.append(f"{key} {name} {classes}")
    rows.append('  "POST /graphql":\n    name: graphql\n    classes: [write]\n    graphql:\n      mutations:')
    text = re.search(r"^type Mutation \{(.*?)^\}", schema.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert text is not None
    bare = re.sub(r'"""(.*?)"""', "", text[1], flags=re.DOTALL)
    for name in sorted(re.findall(r"^  ([a-z]\w+)\(?", bare, re.MULTILINE)):
        rows.append(f"        {name}: {classes_of(GITHUB_FIELDS, name)}")
    return "\n".join(rows) + "\n"


def slack(client: Path) -> str:
    """The methods of Slack; each takes GET and POST."""
    names = sorted(set(re.findall(r'self\.api_call\(\s*"([^"]+)"', client.read_text("utf-8"))))
    rows = [SLACK_EXTRA.rstrip("\n")]
    for name in names:
        classes = classes_of(SLACK, name)
        key = f'  "GET|POST /api/{name}":'
        if name in ("chat.postMessage", "chat.update", "chat.postEphemeral", "chat.scheduleMessage", "chat.meMessage"):
            verb = {"chat.update": "change a message in", "chat.scheduleMessage": "schedule a message to"}
            rows.append(
                f"{key}\n    {{name: {name}, classes: [{', '.join(classes.split())}], body: [form, json],\n"
                f'    sentence: "{verb.get(name, "post a message to")} {{channel}}: {{text}}"}}'
            )
        elif name == "files.upload":
            rows.append(f"{key} {{name: {name}, classes: [communicate], body: [form, multipart]}}")
        elif name in ("users.setPhoto", "admin.emoji.add"):
            rows.append(f"{key} {{name: {name}, classes: [{', '.join(classes.split())}], body: [form, multipart]}}")
        else:
            rows.append(f"{key} {{name: {name}, classes: [{', '.join(classes.split())}], body: [form, json]}}")
    return "\n".join(rows) + "\n"


def main(arguments: list[str]) -> int:
    """Replace the operations of one file; the exit code."""
    makers = {"github": (github, 2), "slack": (slack, 1)}
    if not arguments or arguments[0] not in makers or len(arguments) != 1 + makers[arguments[0]][1]:
        print(__doc__, file=sys.stderr)
        return 2
    make, _ = makers[arguments[0]]
    target = FOLDER / f"{arguments[0]}.yaml"
    head = target.read_text("utf-8").partition(MARK)[0]
    target.write_text(head + MARK + make(*map(Path, arguments[1:])), encoding="utf-8")  # type: ignore[operator]
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
