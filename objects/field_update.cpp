#include "objects/field_update.hpp"

#include <cstdio>

#include "objects/convert.hpp"
#include "objects/errors.hpp"

namespace objects {

Failed check_not_empty(const JsObject& fields) {
  if (!fields.empty()) return std::nullopt;
  return errors::field_update("{}");
}

Result<FieldUpdate> field_update_of(const Bucket& bucket, const JsObject& fields) {
  for (const auto& [name, value] : fields.members()) {
    if (bucket.field(name) == nullptr) return errors::not_indexed(bucket.name, stringify(fields));
    if (bucket.reindexing(name))
      return errors::not_indexed_fields(bucket.name, stringify(fields), bucket.reindexing_fields(),
                                        {});
  }
  FieldUpdate update;
  for (const auto& [name, value] : fields.members()) {
    const IndexField* field = bucket.field(name);
    if (value.is_null()) return errors::not_nullable(name, std::string(to_string(field->type)));
    auto column = convert(name, field->type, value);
    if (!column) return column.error();
    update.emplace_back(static_cast<std::size_t>(field - bucket.fields.data()), *std::move(column));
  }
  return update;
}

std::string update_etag(std::uint64_t random) {
  char text[9];
  std::snprintf(text, sizeof text, "u%07x", static_cast<unsigned>(random & 0xfffffff));
  return text;
}

}  // namespace objects
