#pragma once

#include <optional>
#include <string>

#include "backends/postgres/wire/query.hpp"
#include "objects/result.hpp"

namespace backends::postgres {

/// What ends an RPC with an error of moray's own. Thrown by operations.
struct RpcError {
  objects::Error error;
  /// By what was known of a bucket, and no statement has looked whether it is still so.
  bool by_bucket = false;
};

/// What a statement failed with. Thrown by operations.
struct StatementFailed {
  QueryError error;
};

/// A row was written for a newer version of its bucket than the one that is known here. Thrown by
/// operations; nothing was written.
struct NewerRow {};

/// No connection can be had: nothing was sent. Thrown by operations.
struct NoConnection {
  std::string message;
};

/// The lease that its vnodes are served under is over: nothing was sent. Thrown by operations.
struct NotServed {};

/// A bound of this shard is reached: nothing was sent. Thrown by operations.
struct TooMany {
  std::string message;
};

/// The rows, or StatementFailed.
Rows rows_of(QueryResult result);

/// What a unique index (SQLSTATE 23505) has already.
struct TakenValue {
  std::string column, value;
};
/// By an error's detail, `Key (column)=(value) already exists.` in any language; nullopt: it is not
/// of that form.
std::optional<TakenValue> taken_value(const std::string& detail);

/// What a client is told of PostgreSQL's verdict (spec moray-rpc 4). `limit`: as for `timed_out`.
objects::Error error_of(const QueryError& error, std::chrono::milliseconds limit);

/// Whether the server ended the statement because it took too long. `limit`: what it was given; 0:
/// none by us. A cancel by a person has the same state: where the server does not speak English,
/// the time that it took tells them apart.
bool timed_out(const QueryError& error, std::chrono::milliseconds limit);

/// The server, or an administrator, has ended the session. What it was asked and did not answer it
/// has not done, but for a COMMIT.
bool ends_session(const QueryError& error);
/// Whether the server takes no writes: it was the primary and is a standby now.
bool read_only_server(const QueryError& error);

/// Whether the table is not what the statement was made for: another process has changed it, or
/// the statement's plan is gone. Reading the bucket again helps.
bool schema_changed(const QueryError& error);
/// Whether an operation that has failed by this, `attempts` times by now, is tried once more with
/// its bucket read anew. That it was changed between that and its use may come again and again; so
/// may that the server does not know a prepared statement: where a neighbour in a pipeline fails,
/// the server skips what prepares it, and others that go by it are on their way.
bool reads_anew(const QueryError& error, int attempts);

}  // namespace backends::postgres
