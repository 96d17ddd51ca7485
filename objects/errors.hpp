#pragma once

#include <string>
#include <vector>

#include "objects/result.hpp"

/// The one table of moray's errors: names and texts as moray sends them.
namespace objects::errors {

Error invocation(std::string message);
Error bucket_not_found(const std::string& bucket);
Error bucket_conflict(const std::string& bucket);
Error bucket_version(const std::string& bucket, double asked, double stored);
Error invalid_bucket_name(const std::string& bucket);
Error invalid_bucket_config(std::string message);
Error not_function(const std::string& what);
Error object_not_found(const std::string& bucket, const std::string& key);
/// `expected` and `actual` by value; "null" stands for none.
Error etag_conflict(const std::string& bucket, const std::string& key, const std::string& expected,
                    const std::string& actual);
Error unique_attribute(const std::string& column, const std::string& value);
Error invalid_index_type(const std::string& field, const std::string& type);
Error invalid_query(const std::string& filter);
Error not_indexed(const std::string& bucket, const std::string& what);
Error not_indexed_fields(const std::string& bucket, const std::string& what,
                         const std::vector<std::string>& reindexing,
                         const std::vector<std::string>& unindexed);
Error field_update(const std::string& fields);
Error not_nullable(const std::string& field, const std::string& type);
Error invalid_argument(std::string message);
Error plain(std::string message);     ///< name "Error"
Error database(std::string message);  ///< name "error": PostgreSQL's own words
Error query_timeout(std::string sql);
Error invalid_sql(const std::string& what);  ///< name "InternalError"
/// A stored row that is none of moray's: its key, and what is wrong. Name "InternalError".
Error bad_row(const std::string& bucket, const std::string& key, const std::string& what);
Error operation_not_supported();
/// A write to what a shard gives away, or has not got yet.
Error read_only(std::string message);
/// A write to a bucket whose trigger only JavaScript could run.
Error unknown_trigger(const std::string& bucket);

/// A list of names as Node's util.inspect prints a short one: `[ 'a', 'b' ]`, `[]`.
std::string inspect(const std::vector<std::string>& names);

}  // namespace objects::errors
