#pragma once

#include <memory>
#include <string>
#include <vector>

#include <libpq-fe.h>

#include "backends/postgres/sql/bucket_table.hpp"

/// The PostgreSQL database that MORAY_ROUTER_FUZZ_DATABASE names, with the tables and rows of
/// filter_bucket.hpp: what a server makes of a filter's statement. One for the process's life.
class FilterDatabase {
 public:
  /// A null pointer where the variable is not set. Ends the process where the database can't be
  /// used, or gives other rows back than it was given.
  static FilterDatabase* get();

  /// The ids of a table's rows for which `where` is true, ascending. An error of the server is a
  /// finding.
  [[nodiscard]] std::vector<std::int64_t> select(const backends::postgres::BucketTable& table,
                                                 const std::string& where,
                                                 const backends::postgres::Parameters& parameters);

 private:
  explicit FilterDatabase(const char* url);
  backends::postgres::Rows run(const std::string& sql,
                               const backends::postgres::Parameters& parameters = {});
  void make(const backends::postgres::BucketTable& table);

  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  std::unique_ptr<PGconn, Finish> connection_;
};
