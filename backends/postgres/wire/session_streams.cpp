// What a tool's connection carries of rows, many at a time.
#include <vector>

#include "backends/postgres/wire/session.hpp"

namespace backends::postgres {
namespace {

constexpr std::size_t kCopyPiece = 1 << 20;

template <typename Number>
void append_number(std::string& out, Number number) {
  for (std::size_t i = sizeof number; i-- > 0;)
    out += static_cast<char>(static_cast<std::uint64_t>(number) >> (8 * i));
}

/// `row` becomes what COPY's binary form has for the result's only row.
void append_copied(std::string& row, const PGresult* result) {
  const int columns = PQnfields(result);
  row.clear();
  append_number(row, static_cast<std::int16_t>(columns));
  for (int i = 0; i < columns; ++i) {
    const bool null = PQgetisnull(result, 0, i) != 0;
    const int length = null ? -1 : PQgetlength(result, 0, i);
    append_number(row, static_cast<std::int32_t>(length));
    if (!null) row.append(PQgetvalue(result, 0, i), static_cast<std::size_t>(length));
  }
}

}  // namespace

void Session::copy_out(const std::string& sql,
                       const std::function<void(std::string_view piece)>& sink) {
  clear();
  sent(PQsendQuery(connection_.get(), sql.c_str()));
  PGresult* result = last();
  if (PQresultStatus(result) != PGRES_COPY_OUT) fail(result);
  PQclear(result);
  try {
    char* piece = nullptr;
    for (int bytes = 0; (bytes = PQgetCopyData(connection_.get(), &piece, 1)) >= 0;) {
      const std::unique_ptr<char, void (*)(void*)> freed(piece, PQfreemem);
      if (bytes > 0)
        sink({piece, static_cast<std::size_t>(bytes)});
      else if (!wait())
        break;
    }
  } catch (...) {
    connection_.reset();  // in mid-stream: no good for anything else
    throw;
  }
  checked(last());
}

/// libpq hands out one row at a time, whose fields are those of COPY's binary form.
void Session::stream(const std::string& sql, const Parameters& parameters,
                     const std::function<void(std::string_view row)>& sink) {
  clear();
  std::vector<const char*> values;
  for (const auto& each : parameters) values.push_back(each ? each->c_str() : nullptr);
  sent(PQsendQueryParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                         values.data(), nullptr, nullptr, 1));
  sent(PQsetSingleRowMode(connection_.get()));
  std::string row;
  PGresult* result = nullptr;
  while (PQresultStatus(result = next()) == PGRES_SINGLE_TUPLE) {
    const Rows one(result);
    append_copied(row, result);
    try {
      sink(row);
    } catch (...) {
      connection_.reset();  // in mid-stream: no good for anything else
      throw;
    }
  }
  checked(result);
  PQclear(last());
}

void Session::copy_in(const std::string& sql, std::string_view bytes) {
  clear();
  sent(PQsendQuery(connection_.get(), sql.c_str()));
  PGresult* result = last();
  if (PQresultStatus(result) != PGRES_COPY_IN) fail(result);
  PQclear(result);
  for (std::size_t at = 0; at < bytes.size(); at += kCopyPiece) {
    const std::string_view piece = bytes.substr(at, kCopyPiece);
    if (PQputCopyData(connection_.get(), piece.data(), static_cast<int>(piece.size())) != 1)
      break;  // its result tells why
  }
  PQputCopyEnd(connection_.get(), nullptr);
  checked(last());
}

}  // namespace backends::postgres
