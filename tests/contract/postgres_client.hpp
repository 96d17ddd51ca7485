#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <libpq-fe.h>

#include "backends/postgres/postgres_shard.hpp"
#include "tests/contract/shard_client.hpp"
#include "tests/support/postgres_cluster.hpp"

namespace test_support {

/// A database of its own, for tests that leave the server alone: they share one.
class FreshDatabase {
 public:
  FreshDatabase() : url_(server().make_database("fresh" + std::to_string(++number()))) {}
  [[nodiscard]] const std::string& url() const { return url_; }

 private:
  static PostgresCluster& server() {
    static PostgresCluster cluster;
    return cluster;
  }
  static int& number() {
    static int made = 0;
    return made;
  }
  std::string url_;
};

/// A shard of its own, as another worker or router would have it.
struct PostgresClient {
  PostgresClient(boost::asio::io_context& loop, const std::string& url, std::size_t connections = 2,
                 backends::postgres::PostgresShardOptions options = {}) {
    options.pool.url = url;
    options.pool.point_connections = connections;
    options.pool.exclusive_connections = 2;
    options.pool.retry_max = std::chrono::milliseconds(200);
    shard = std::make_unique<backends::postgres::PostgresShard>(loop, options);
    client = std::make_unique<ShardClient>(*shard, loop);
    run_until(loop, [&] { return shard->healthy(); });
  }
  Answer call(backends::Rpc rpc, const std::string& arguments) {
    return client->call(rpc, arguments);
  }
  Answer good(backends::Rpc rpc, const std::string& arguments) {
    Answer answer = call(rpc, arguments);
    CAPTURE(arguments);
    CHECK(answer.error_text() == "");
    return answer;
  }
  /// The rows of a statement.
  std::vector<objects::JsValue> sql(const std::string& statement) {
    return good(backends::Rpc::sql, objects::stringify(objects::JsArray{
                                        statement, objects::JsArray{}, objects::JsObject()}))
        .values;
  }

  std::unique_ptr<backends::postgres::PostgresShard> shard;
  std::unique_ptr<ShardClient> client;
};

/// Another user of the database, who blocks.
class PostgresSession {
 public:
  explicit PostgresSession(const std::string& url)
      : connection_(PQconnectdb(url.c_str()), PQfinish) {
    REQUIRE(PQstatus(connection_.get()) == CONNECTION_OK);
  }
  void run(const std::string& sql) {
    PGresult* result = PQexec(connection_.get(), sql.c_str());
    CAPTURE(std::string(PQerrorMessage(connection_.get())));
    CHECK(
        (PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK));
    PQclear(result);
  }
  /// Of the first row.
  int number(const std::string& sql) {
    PGresult* result = PQexec(connection_.get(), sql.c_str());
    CAPTURE(std::string(PQerrorMessage(connection_.get())));
    REQUIRE(PQntuples(result) == 1);
    const int number = std::stoi(PQgetvalue(result, 0, 0));
    PQclear(result);
    return number;
  }

 private:
  std::unique_ptr<PGconn, void (*)(PGconn*)> connection_;
};

/// A member of a row as text; empty: none, or null.
inline std::string text_of(const objects::JsValue& row, const char* name) {
  const objects::JsValue* value = row.get(name);
  return value == nullptr || value->is_null() ? "" : objects::to_text(*value);
}

}  // namespace test_support
