// What the recorded exchanges leave in a database, read back from its catalogue, against a text
// that was written from spec moray-postgres 2, 3 and 5 (tests/data/moray/catalogue.txt).
#include <doctest/doctest.h>

#include "tests/contract/postgres_client.hpp"
#include "tests/support/test_data.hpp"
#include "tests/unit/objects/values.hpp"

using namespace test_support;
using backends::Rpc;
using objects::JsValue;
using Client = test_support::PostgresClient;

namespace {

/// All of them but the deletions of buckets.
void run_exchanges(Client& client) {
  for (const std::string& line : read_lines(data_path("moray/rpc.jsonl.gz"))) {
    const JsValue recorded = value(line);
    const auto rpc = backends::rpc_named(*recorded.get("rpc")->string());
    if (rpc && *rpc != Rpc::del_bucket)
      client.call(*rpc, objects::stringify(*recorded.get("args")));
  }
}

constexpr const char* kColumns =
    "SELECT c.relname || '.' || a.attname || ': ' || format_type(a.atttypid, a.atttypmod) || CASE "
    "WHEN a.attnotnull THEN ' not null' ELSE '' END "
    "|| coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') AS line FROM pg_class c JOIN "
    "pg_attribute a ON a.attrelid = c.oid "
    "LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum WHERE c.relnamespace = "
    "'public'::regnamespace AND c.relkind = 'r' "
    "AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum";
constexpr const char* kIndexes =
    "SELECT pg_get_indexdef(i.indexrelid) || CASE WHEN k.contype = 'p' THEN ' primary key' WHEN "
    "k.contype = 'u' THEN ' constraint' ELSE '' END AS line "
    "FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid LEFT JOIN pg_constraint k ON k.conindid "
    "= i.indexrelid "
    "WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1";
constexpr const char* kSequences =
    "SELECT c.relname || ' ' || CASE WHEN EXISTS (SELECT 1 FROM pg_depend WHERE objid = c.oid AND "
    "deptype = 'a') THEN 'owned' ELSE 'not owned' END AS line "
    "FROM pg_class c WHERE c.relkind = 'S' AND c.relnamespace = 'public'::regnamespace ORDER BY 1";
constexpr const char* kConfig =
    "SELECT name || ' ' || index || ' ' || pre || ' ' || post || ' ' || options || ' ' || "
    "coalesce(reindex_active, 'null') AS line "
    "FROM buckets_config ORDER BY name";

}  // namespace

TEST_CASE("postgres: what the recorded exchanges leave in the catalogue") {
  PostgresCluster cluster;
  boost::asio::io_context loop;
  Client client(loop, cluster.url());
  run_exchanges(client);
  std::vector<std::string> found;
  for (const char* query : {kColumns, kIndexes, kSequences, kConfig})
    for (const JsValue& row : client.sql(query)) found.push_back(text_of(row, "line"));
  std::vector<std::string> wanted;
  for (const std::string& line : read_lines(data_path("moray/catalogue.txt")))
    if (!line.empty() && line.front() != '#') wanted.push_back(line);
  for (std::size_t i = 0; i < std::max(found.size(), wanted.size()); ++i) {
    const std::string expected = i < wanted.size() ? wanted[i] : "nothing more",
                      actual = i < found.size() ? found[i] : "nothing more";
    CHECK(expected == actual);
  }
}
