#include "objects/index_type.hpp"

#include <array>

namespace objects {
namespace {

constexpr std::array<std::string_view, 17> kNames = {
    "string",    "[string]", "number", "[number]",  "numrange", "boolean",
    "[boolean]", "date",     "[date]", "daterange", "ip",       "[ip]",
    "mac",       "[mac]",    "subnet", "[subnet]",  "uuid"};
constexpr std::array<IndexType, 17> kTypes = {{
    {Scalar::string, false},
    {Scalar::string, true},
    {Scalar::number, false},
    {Scalar::number, true},
    {Scalar::numrange, false},
    {Scalar::boolean, false},
    {Scalar::boolean, true},
    {Scalar::date, false},
    {Scalar::date, true},
    {Scalar::daterange, false},
    {Scalar::ip, false},
    {Scalar::ip, true},
    {Scalar::mac, false},
    {Scalar::mac, true},
    {Scalar::subnet, false},
    {Scalar::subnet, true},
    {Scalar::uuid, false},
}};

}  // namespace

std::optional<IndexType> index_type_named(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return kTypes[i];
  return std::nullopt;
}

std::string_view to_string(IndexType type) {
  for (std::size_t i = 0; i < kTypes.size(); ++i)
    if (kTypes[i] == type) return kNames[i];
  return to_string(type.scalar);
}

std::string_view to_string(Scalar scalar) { return to_string(IndexType{scalar, false}); }

std::span<const std::string_view> index_type_names() { return kNames; }

std::string_view postgres_name(Scalar scalar) {
  switch (scalar) {
    case Scalar::string: return "text";
    case Scalar::number: return "numeric";
    case Scalar::numrange: return "numrange";
    case Scalar::boolean: return "boolean";
    case Scalar::date: return "timestamp with time zone";
    case Scalar::daterange: return "tstzrange";
    case Scalar::ip: return "inet";
    case Scalar::mac: return "macaddr";
    case Scalar::subnet: return "cidr";
    case Scalar::uuid: return "uuid";
  }
  return "";
}

}  // namespace objects
