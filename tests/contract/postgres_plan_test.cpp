// Every shape of a find's statement uses the index that it should, and puts and gets the primary
// key.
#include <doctest/doctest.h>

#include <memory>

#include "backends/postgres/postgres_shard.hpp"
#include "backends/postgres/wire/identifier.hpp"
#include "tests/contract/shard_client.hpp"
#include "tests/support/postgres_cluster.hpp"

using namespace test_support;
using backends::Rpc;
using backends::postgres::PostgresShard;
using objects::JsValue;

namespace {

/// A table of 20,000 rows with an index of each kind, known to the planner.
class Planned {
 public:
  Planned() {
    backends::postgres::PostgresShardOptions options;
    options.pool.url = cluster_.url();
    shard_ = std::make_unique<PostgresShard>(loop_, options);
    client_ = std::make_unique<ShardClient>(*shard_, loop_);
    good(
        Rpc::create_bucket,
        R"(["p",{"index":{"s":{"type":"string"},"n":{"type":"number"},"d":{"type":"date"},"ip":{"type":"ip"},"u":{"type":"uuid"},
      "sub":{"type":"subnet"},"nr":{"type":"numrange"},"dr":{"type":"daterange"},
      "tags":{"type":"[string]"},"q":{"type":"string","unique":true}}},{}])");
    sql(R"(INSERT INTO p (_key, _value, _etag, _mtime, _vnode, s, n, d, ip, u, sub, nr, dr, tags, q)
      SELECT 'k' || i, '{}', 'ABCDEF01', i, i % 100, 's' || i, i,
        timestamptz '2020-01-01' + i * interval '1 hour', inet '10.0.0.0' + i,
        md5(i::text)::uuid, set_masklen(inet '10.0.0.0' + i, 32)::cidr, numrange(i, i + 1),
        tstzrange(now() + i * interval '1 hour', now() + (i + 1) * interval '1 hour'),
        ARRAY['a' || i, 'b' || i], 'q' || i FROM generate_series(1, 20000) i)");
    sql("ANALYZE p");
  }

  Answer good(Rpc rpc, const std::string& arguments) {
    Answer answer = client_->call(rpc, arguments);
    CAPTURE(arguments);
    REQUIRE(answer.error_text() == "");
    return answer;
  }
  std::string sql(const std::string& statement) {
    const Answer answer = good(Rpc::sql, objects::stringify(objects::JsArray{
                                             statement, objects::JsArray{}, objects::JsObject()}));
    std::string text;
    for (const JsValue& row : answer.values)
      for (const auto& [name, value] : row.object()->members())
        text += objects::to_text(value) + "\n";
    return text;
  }
  /// The plan of what a find would run.
  std::string plan(const std::string& filter, const std::string& options) {
    const Answer answer =
        good(Rpc::find_objects, "[\"p\",\"" + filter + R"(",{"sql_only":true)" + options + "}]");
    std::string query = *answer.values[0].get("query")->string();
    const objects::JsArray& arguments = *answer.values[0].get("args")->array();
    for (std::size_t i = arguments.size(); i > 0; --i) {
      const std::string name = "$" + std::to_string(i);
      for (std::size_t at; (at = query.find(name)) != std::string::npos;)
        query.replace(at, name.size(), backends::postgres::literal(*arguments[i - 1].string()));
    }
    return sql("EXPLAIN " + query);
  }

 private:
  PostgresCluster cluster_;
  boost::asio::io_context loop_;
  std::unique_ptr<PostgresShard> shard_;
  std::unique_ptr<ShardClient> client_;
};

}  // namespace

TEST_CASE("postgres: every shape of a statement uses its index") {
  Planned table;
  const struct {
    const char *filter, *index;
  } shapes[] = {
      {"(_key=k5)", "p_pkey"},
      {"(_id=5)", "p__id_idx"},
      {"(_mtime>=19990)", "p__mtime_idx"},
      {"(_etag=00000000)", "p__etag_idx"},
      {"(s=s5)", "p_s_idx"},
      {"(s>=s9999)", "p_s_idx"},
      {"(s=s1234*)", "p_s_idx"},
      {"(n=5)", "p_n_idx"},
      {"(n<=5)", "p_n_idx"},
      {"(n>=19990)", "p_n_idx"},
      {"(d<=2020-01-01T05:00:00Z)", "p_d_idx"},
      {"(ip=10.0.0.5)", "p_ip_idx"},
      {"(u=c0ffee00-0000-4000-8000-000000000001)", "p_u_idx"},
      {"(sub=10.0.0.5/32)", "p_sub_idx"},
      {"(nr:contains:=5)", "p_nr_idx"},
      {"(nr:overlaps:=[5,6])", "p_nr_idx"},
      {"(dr:contains:=2020-01-01T00:00:00Z)", "p_dr_idx"},
      {"(tags=a5)", "p_tags_idx"},
      {"(q=q5)", "p_q_key"},
      {"(&(s=s5)(n>=1))", "p_s_idx"},
      {"(|(s=s5)(n=7))", "p_n_idx"},
      {"(&(n>=19990)(!(s=s5)))", "p_n_idx"},
  };
  for (const auto& [filter, index] : shapes) {
    CAPTURE(filter);
    for (const char* options : {"", R"(,"no_count":true)"}) {
      const std::string plan = table.plan(filter, options);
      CAPTURE(plan);
      CHECK(plan.find(index) != std::string::npos);
      CHECK(plan.find("Seq Scan") == std::string::npos);
    }
  }
}
