"""What a database looks like, by parts: whether a defect's undo brought back what was there, as somebody else sees it.

Rows are not looked at: the service and our own traffic change them all the time.
"""

from __future__ import annotations

import hashlib
from typing import LiteralString

from shiftproof.adapters.postgres import Place, rows

_OURS = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'"

#: Each gives (name, text). Columns by name: one that was dropped and made again is the last one, and works the same.
_PARTS: tuple[LiteralString, ...] = (
    f"""
    SELECT format('table %s.%s', n.nspname, c.relname),
           concat_ws('; ', c.relkind, c.relrowsecurity, c.reloptions, pg_get_userbyid(c.relowner),
               string_agg(format('%s %s %s %s', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                                 pg_get_expr(d.adbin, d.adrelid)), ', ' ORDER BY a.attname))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND {_OURS} GROUP BY n.nspname, c.oid, c.relname
    """,
    f"""
    SELECT format('index %s.%s', n.nspname, c.relname),
           concat_ws('; ', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisready)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_OURS}
    """,
    f"""
    SELECT format('constraint %s.%s on %s', n.nspname, o.conname, o.conrelid::regclass),
           concat_ws('; ', pg_get_constraintdef(o.oid), o.convalidated)
    FROM pg_constraint o JOIN pg_namespace n ON n.oid = o.connamespace WHERE {_OURS}
    """,
    f"""
    SELECT format('trigger %s on %s.%s', t.tgname, n.nspname, c.relname),
           concat_ws('; ', pg_get_triggerdef(t.oid), t.tgenabled)
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT t.tgisinternal AND {_OURS}
    """,
    f"""
    SELECT format('function %s.%s(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
           concat_ws('; ', pg_get_functiondef(p.oid))
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.prokind IN ('f', 'p') AND {_OURS}
    """,
    # What nobody granted is written down as NULL, and once it was revoked and granted again as itself: the same rights.
    f"""
    SELECT format('rights on %s', named), coalesce(string_agg(one::text, ', ' ORDER BY one::text), '') FROM (
        SELECT format('schema %s', n.nspname), coalesce(n.nspacl, acldefault('n', n.nspowner))
        FROM pg_namespace n WHERE {_OURS}
        UNION ALL
        SELECT format('%s.%s', n.nspname, c.relname),
               coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND {_OURS}
        UNION ALL
        SELECT format('%s.%s(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
               coalesce(p.proacl, acldefault('f', p.proowner))
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.prokind IN ('f', 'p') AND {_OURS}
        UNION ALL
        SELECT 'itself', coalesce(datacl, acldefault('d', datdba)) FROM pg_database WHERE datname = current_database()
    ) AS granted (named, acl) LEFT JOIN LATERAL unnest(acl) AS one ON true GROUP BY named
    """,
    """
    SELECT 'limits',
           concat_ws('; ', d.datconnlimit, d.datallowconn, r.rolname, r.rolconnlimit, r.rolcanlogin, r.rolvaliduntil)
    FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE d.datname = current_database()
    """,
    """
    SELECT 'settings', coalesce(string_agg(one, '; ' ORDER BY one), '')
    FROM pg_db_role_setting s JOIN pg_database d ON d.datname = current_database()
    CROSS JOIN LATERAL (SELECT format('%s %s %s', s.setdatabase, s.setrole, unnest(s.setconfig))) AS set (one)
    WHERE s.setdatabase IN (0, d.oid) AND s.setrole IN (0, d.datdba)
    """,
)


def shape(where: Place) -> dict[str, str]:
    """A short digest of each table, index, constraint, trigger, function, of rights, limits and settings, by its name.

    Raises SetupError when the database does not answer.
    """
    found = rows(where, *_PARTS)
    return {str(name): hashlib.sha256(str(text).encode()).hexdigest()[:12] for name, text in found}
