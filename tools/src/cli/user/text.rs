//! What the commands under `user` say at length, and their examples.

pub const ADD_ABOUT: &str = "\
Add a user, and print their id: the `sub` of their tokens.

The password is one line of standard input, the content of --file, the value of --env, or asked for, twice, on a terminal. \
It needs at least 8 characters; there is no maximum and no rule about which characters. Whatever is wrong is said at once, \
with exit code 3.";

pub const ADD_EXAMPLES: &str = "\
Examples:
  Ask for the password:
    portcullis user add alice@example.com --role editor

  In a script:
    portcullis user add bob@example.com --role viewer --name 'Bob Example' \\
      --file password.txt --reason 'ticket 4711'";

pub const LIST_ABOUT: &str = "\
List users in the order they were added, by the page. On a terminal as a table; in a pipe one user a line, with tabs between id, \
e-mail address, roles, status, last sign-in and name.";

pub const LIST_EXAMPLES: &str = "\
Examples:
  The second page:
    portcullis user list --page 2

  Who can do everything:
    portcullis user list --role admin --status active --json";

pub const SHOW_EXAMPLES: &str = "\
Examples:
  portcullis user show alice@example.com
  portcullis user show 019ac3f4-7d1c-7b55-9c8e-0d6f7a1b2c3d --json";

pub const SET_ROLE_ABOUT: &str = "\
Give a user other roles. Tokens that are out keep the roles they were issued with until they expire, 30 minutes at most; \
`portcullis user disable` ends them.";

pub const SET_ROLE_EXAMPLES: &str = "\
Examples:
  portcullis user set-role alice@example.com admin --reason 'leads the team now'
  portcullis user set-role alice@example.com editor viewer";

pub const SET_PASSWORD_ABOUT: &str = "\
Give a user another password. Tokens and sessions from before end: they may be somebody else's.

The password is one line of standard input, the content of --file, the value of --env, or asked for, twice, on a terminal.";

pub const SET_PASSWORD_EXAMPLES: &str = "\
Examples:
  Ask for the password:
    portcullis user set-password alice@example.com

  In a script:
    portcullis user set-password alice@example.com --file password.txt \\
      --reason 'forgotten'";

pub const SET_DETAILS_EXAMPLES: &str = "\
Examples:
  portcullis user set-details alice@example.com \\
    --email alice@example.org --reason 'moved'
  portcullis user set-details alice@example.com --name 'Alice Example'";

pub const DISABLE_ABOUT: &str = "\
Keep a user from signing in. Tokens and sessions from before end: the filter refuses them as soon as it has the next identity \
feed.";

pub const DISABLE_EXAMPLES: &str = "\
Examples:
  portcullis user disable alice@example.com --reason 'laptop stolen'";

pub const ENABLE_EXAMPLES: &str = "\
Examples:
  portcullis user enable alice@example.com --reason 'laptop found'";

pub const HISTORY_ABOUT: &str = "\
Tell what happened to a user, oldest first: every version with who made it, when, by what, and why. Of an erased user, what was \
personal in it is gone; who did what when is still there.";

pub const HISTORY_EXAMPLES: &str = "\
Examples:
  portcullis user history alice@example.com
  portcullis user history alice@example.com --json";

pub const EXPORT_ABOUT: &str = "\
Print everything that is held about a user as JSON: what they may ask for (GDPR, articles 15 and 20). The hash of the password is \
left out: it is no use to them, and of use to whoever finds the file.

--all prints every user, one JSON object a line, as of one moment.";

pub const EXPORT_EXAMPLES: &str = "\
Examples:
  portcullis user export alice@example.com --out alice.json
  portcullis user export --all --out users.jsonl";

pub const ERASE_ABOUT: &str = "\
Forget a user, for good (GDPR, article 17): their key is destroyed, in the store and in the key file, and with it everything \
personal, in the store and in every copy of it. What stays is the id, and that somebody did what when.

Asks on a terminal; elsewhere, --yes must say so. Do not put anything personal into --reason: it stays.";

pub const ERASE_EXAMPLES: &str = "\
Examples:
  portcullis user erase alice@example.com \\
    --reason 'asked on 2026-11-28, ticket 4711'";

pub const PRUNE_ABOUT: &str = "\
Forget users who have not signed in for a long time, or were added that long ago and never did, as `user erase` forgets one.

Asks on a terminal; elsewhere, --yes must say so.";

pub const PRUNE_EXAMPLES: &str = "\
Examples:
  Who would be forgotten:
    portcullis user prune --inactive 730d --dry-run

  In a timer:
    portcullis user prune --inactive 730d --yes";

pub const CONSENT_EXAMPLES: &str = "\
Examples:
  portcullis user consent give alice@example.com \\
    --purpose newsletter --text-version 2026-11
  portcullis user consent withdraw alice@example.com \\
    --purpose newsletter --text-version 2026-11
  portcullis user consent list alice@example.com";

pub const IMPORT_ABOUT: &str = "\
Take over users of another system, with the hashes of their passwords: Argon2, bcrypt, and PBKDF2 as Django, Werkzeug, passlib \
or the PHC format write it. Each is hashed anew with Argon2id when its user signs in.

Columns or members: `email` and `roles` (or `role`; several with `;` or spaces between, in JSON as an array), `password_hash`, `name`, \
`notes`, `id` (a UUID, to keep the `sub` of tokens), `status` (`active` or `disabled`). All but the first two may be left out.

The whole file is read and checked first: whatever is wrong is said by line, with exit code 3, and nothing is added. Then users are \
added in batches of 10,000, each whole or not at all. An import that was cut off goes on with --skip-existing.";

pub const IMPORT_EXAMPLES: &str = "\
Examples:
  What is wrong with a file:
    portcullis user import users.csv --dry-run

  From the start, or from where an import was cut off:
    portcullis user import users.jsonl --skip-existing \\
      --reason 'moved from the old shop'";
