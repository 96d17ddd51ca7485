#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "backends/postgres/sql/condition_sql.hpp"
#include "backends/postgres/wire/identifier.hpp"
#include "json/document.hpp"
#include "objects/condition.hpp"
#include "tests/fuzz/filter_bucket.hpp"
#include "tests/fuzz/filter_database.hpp"
#include "tests/fuzz/require.hpp"

// A filter's way from a client's text to rows, in both stores that keep objects: the SQL has only
// words of ours in it, and chooses the rows that `decide` chooses. The first byte chooses the
// bucket and whether the filter is for a statement that writes. Where MORAY_ROUTER_FUZZ_DATABASE
// names a PostgreSQL database, that parses and runs each statement.

namespace {

namespace postgres = backends::postgres;
using objects::Filter;

constexpr std::size_t kBytesMost = 1 << 16;

/// The text as a request would bring it: UTF-8, with unpaired surrogates. Nothing where none can.
std::optional<std::string> as_from_a_client(std::string_view bytes) {
  const std::string written = objects::stringify(objects::JsValue(bytes));
  json::Document document;
  if (document.parse(written)) return std::nullopt;
  return *objects::parse_value(document.root()).string();
}

/// moray prints an extensible filter's value without escapes, and an empty rule not at all: only
/// others are read back as they were.
bool prints_whole(const Filter& filter) {
  for (const Filter& child : filter.children)
    if (!prints_whole(child)) return false;
  return filter.kind != Filter::Kind::extensible ||
         (filter.value.find_first_of("()*\\") == std::string::npos && filter.rule != "");
}

void check_text(const Filter& filter) {
  const std::string printed = objects::to_string(filter);
  if (!prints_whole(filter)) return;
  const objects::ParsedFilter again = objects::parse_filter(printed);
  require(again.filter == filter, "a printed filter reads back: " + printed);
}

/// The names of columns, and nothing else that could stand between double quotes.
std::set<std::string> column_names(const postgres::BucketTable& table) {
  std::set<std::string> names;
  for (const objects::IndexField& field : table.bucket.fields)
    names.insert(postgres::identifier(field.column));
  return names;
}

bool known_word(const std::string& word) {
  static const std::set<std::string> kWords = {
      "AND",   "OR",      "NOT",       "IS",     "NULL",     "TRUE",      "FALSE",   "LIKE",
      "ILIKE", "ANY",     "ARRAY",     "EXISTS", "SELECT",   "1",         "FROM",    "unnest",
      "e",     "WHERE",   "lower",     "text",   "numeric",  "bigint",    "boolean", "timestamptz",
      "inet",  "macaddr", "cidr",      "uuid",   "numrange", "tstzrange", "bpchar",  "_id",
      "_idx",  "_mtime",  "_txn_snap", "_key",   "_etag"};
  return kWords.contains(word);
}

bool word_byte(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// The token at the front of `sql`, which it leaves.
std::string take_token(std::string_view& sql) {
  std::size_t end = 1;
  if (sql.front() == '"') {
    end = std::min(sql.find('"', 1), sql.size() - 1) + 1;
  } else if (word_byte(sql.front()) || sql.front() == '$') {
    while (end < sql.size() && word_byte(sql[end])) ++end;
  }
  std::string token(sql.substr(0, end));
  sql.remove_prefix(end);
  return token;
}

bool known_token(const std::string& token, const std::set<std::string>& names) {
  if (token.front() == '"') return names.contains(token);
  if (word_byte(token.front())) return known_word(token);
  return token.front() == '$' || std::string_view(" ()[]:=<>@&").find(token) != std::string::npos;
}

/// Every token is one of ours, and every parameter is used.
void check_sql(const std::string& sql, const std::set<std::string>& names, std::size_t parameters) {
  std::set<std::size_t> used;
  bool known = true;
  for (std::string_view rest = sql; !rest.empty();) {
    const std::string token = take_token(rest);
    known &= known_token(token, names);
    if (token.front() == '$') used.insert(std::strtoul(token.c_str() + 1, nullptr, 10));
  }
  require(known, "every token is one of ours: " + sql);
  require(used.size() == parameters && (used.empty() || *used.rbegin() == parameters),
          "every parameter is used, and no other: " + sql);
}

/// What libpq would cut off, or PostgreSQL refuse to read.
void check_parameters(const postgres::Parameters& parameters) {
  for (const auto& parameter : parameters) {
    require(parameter && parameter->find('\0') == std::string::npos,
            "no parameter has a zero byte");
    for (std::size_t i = 0; i + 1 < parameter->size(); ++i)
      require((*parameter)[i] != '\xed' || static_cast<unsigned char>((*parameter)[i + 1]) < 0xa0,
              "no parameter has an unpaired surrogate");
  }
}

bool has_nan(const objects::Row& row) {
  const auto nan = [](const objects::Element& element) {
    const double* number = std::get_if<double>(&element);
    return number != nullptr && std::isnan(*number);
  };
  for (const objects::Column& column : row.columns) {
    if (const auto* element = std::get_if<objects::Element>(&column); element && nan(*element))
      return true;
    if (const auto* elements = std::get_if<objects::Elements>(&column))
      for (const auto& element : *elements)
        if (element && nan(*element)) return true;
  }
  return false;
}

/// A bucket, its rows and their objects.
struct Stored {
  explicit Stored(unsigned which)
      : table(fuzzed_table(which)), names(column_names(table)), rows(fuzzed_rows(table)) {
    for (const objects::Row& row : rows) made.push_back(*objects::object_of(table.bucket, row));
  }
  postgres::BucketTable table;
  std::set<std::string> names;
  std::vector<objects::Row> rows;
  std::vector<objects::JsObject> made;
};

const Stored& stored(unsigned which) {
  static const std::vector<Stored> all = [] {
    std::vector<Stored> buckets;
    for (unsigned i = 0; i < kTables; ++i) buckets.emplace_back(i);
    return buckets;
  }();
  return all[which];
}

/// The ids of the rows that the embedded backend takes.
std::vector<std::int64_t> decided(const objects::Condition& condition, const Stored& bucket) {
  std::vector<std::int64_t> ids;
  for (std::size_t i = 0; i < bucket.rows.size(); ++i) {
    const bool chosen = objects::decide(condition, bucket.rows[i]) == objects::Truth::yes;
    const bool holds = objects::holds(condition, bucket.rows[i], bucket.made[i]);
    require(!condition.exact || has_nan(bucket.rows[i]) || holds || !chosen,
            "what columns decide wholly needs no second look: " + bucket.rows[i].value);
    if (chosen) ids.push_back(bucket.rows[i].id);
  }
  return ids;
}

std::string list(const std::vector<std::int64_t>& ids) {
  std::string text;
  for (const std::int64_t id : ids) text += " " + std::to_string(id);
  return text;
}

void check_condition(const objects::Condition& condition, const Stored& bucket) {
  postgres::Parameters parameters;
  const std::string where = postgres::where_clause(bucket.table, condition, parameters);
  check_sql(where, bucket.names, parameters.size());
  check_parameters(parameters);
  const std::vector<std::int64_t> here = decided(condition, bucket);
  FilterDatabase* database = FilterDatabase::get();
  if (database == nullptr) return;
  const std::vector<std::int64_t> there = database->select(bucket.table, where, parameters);
  require(here == there, "both stores choose the same rows: embedded" + list(here) +
                             ", PostgreSQL" + list(there) + " by " + where);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > kBytesMost) return -1;
  const Stored& bucket = stored(data[0] % kTables);
  const auto purpose = (data[0] & 0x20) != 0 ? objects::Purpose::write : objects::Purpose::find;
  const auto text = as_from_a_client({reinterpret_cast<const char*>(data) + 1, size - 1});
  if (!text) return -1;
  const objects::ParsedFilter parsed = objects::parse_filter(*text);
  require(parsed.filter.has_value() == parsed.problem.empty(),
          "a filter, or what is wrong with it");
  if (!parsed.filter) return 0;
  require(objects::parse_filter(*text).filter == parsed.filter, "a text is one filter");
  check_text(*parsed.filter);
  (void)objects::check_usable_fields(bucket.table.bucket, *parsed.filter, *text);
  const auto compiled = objects::compile(bucket.table.bucket, *parsed.filter, purpose);
  if (compiled && !compiled->at_execution) check_condition(compiled->condition, bucket);
  return 0;
}
