#pragma once

#include <string>
#include <vector>

#include "backends/postgres/wire/identifier.hpp"
#include "backends/postgres/wire/session.hpp"

/// What a plan stands on, by identity: a table that was replaced by another of its name, a trigger
/// that was off for a moment, or a column that came and went, all show, also where everything looks
/// again as it did before. A table is all that its rows are in: itself, its partitions, its other
/// children.
namespace reshard {

using backends::postgres::Relation;

/// A query's beginning: `t` has the names of the parameter `$1` (text[]) and the oids that they
/// stand for now, those of all partitions and children among them.
inline constexpr const char* kTableTree =
    "WITH RECURSIVE t AS (SELECT n.name, to_regclass(n.name)::oid AS oid FROM unnest($1::text[]) "
    "n (name) UNION SELECT t.name, i.inhrelid FROM t JOIN pg_inherits i ON i.inhparent = t.oid) ";
/// The value of that parameter.
std::string names_of(const std::vector<Relation>& tables);

/// A statement whose one value differs whenever a table, or an attribute, default, index,
/// constraint, policy or trigger of one, or what a site's trigger runs, is not the row of
/// PostgreSQL's catalogue that it was. VACUUM, ANALYZE, comments, grants and storage options don't
/// change it. O(catalogue rows of these tables): about 4 ms for 200 tables with 12 indexes each.
backends::postgres::Call version_call(const std::vector<Relation>& tables);

/// The same at the beginning of a transaction: while that lasts, nobody renames these tables,
/// disables their triggers, adds columns or makes indexes. Fails at once (55P03) where somebody
/// does just then.
std::vector<backends::postgres::Call> held_version_calls(const std::vector<Relation>& tables);

/// The oids that the names stand for, in their order; empty: there is no such table. Throws
/// SessionError.
std::vector<std::string> oids_of(backends::postgres::Session& session,
                                 const std::vector<Relation>& tables);

/// A table, or a part of one, whose rows' changes are not caught since a trigger of ours is missing
/// there, or is disabled; for people. Empty: there is none. Throws SessionError.
std::string unwatched(backends::postgres::Session& session, const std::vector<Relation>& tables);

}  // namespace reshard
