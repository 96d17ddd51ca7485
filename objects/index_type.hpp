#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace objects {

enum class Scalar : std::uint8_t {
  string,
  number,
  numrange,
  boolean,
  date,
  daterange,
  ip,
  mac,
  subnet,
  uuid,
};

/// One of moray's 17 index types (spec moray-rpc 5.2), e.g. `[number]`.
struct IndexType {
  Scalar scalar = Scalar::string;
  bool array = false;
  bool operator==(const IndexType&) const = default;
};

std::optional<IndexType> index_type_named(std::string_view name);
/// As a bucket's configuration spells it.
std::string_view to_string(IndexType type);
/// The name of the type without brackets.
std::string_view to_string(Scalar scalar);
/// The names in moray's order.
std::span<const std::string_view> index_type_names();
/// PostgreSQL's name for the type as its errors have it, e.g. "timestamp with time zone".
std::string_view postgres_name(Scalar scalar);

}  // namespace objects
