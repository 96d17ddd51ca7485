#include "objects/bucket.hpp"

#include <algorithm>

#include "objects/errors.hpp"
#include "objects/text.hpp"

namespace objects {
namespace {

bool contains_text(const JsValue& names, std::string_view name) {
  if (names.array() == nullptr) return false;
  return std::any_of(names.array()->begin(), names.array()->end(), [&](const JsValue& one) {
    return one.string() != nullptr && *one.string() == name;
  });
}

bool same_definition(const IndexField& a, const IndexField& b) {
  return a.type == b.type && a.unique == b.unique;
}

/// The stored list with an entry for the new version naming the added fields; fields that went
/// are taken out.
JsValue next_reindex(const Bucket& stored, double version, const std::vector<std::string>& added,
                     const std::vector<std::string>& removed, bool append) {
  JsObject reindex = stored.reindex.object() != nullptr ? *stored.reindex.object() : JsObject();
  JsObject kept;
  for (const auto& [when, names] : reindex.members()) {
    JsArray left;
    if (names.array() != nullptr)
      for (const JsValue& name : *names.array())
        if (name.string() != nullptr &&
            std::find(removed.begin(), removed.end(), *name.string()) == removed.end())
          left.push_back(name);
    kept.set(when, std::move(left));
  }
  if (append) {
    const std::string key = number_text(version);
    JsArray names = kept.find(key) != nullptr ? *kept.find(key)->array() : JsArray();
    for (const std::string& name : added) names.emplace_back(name);
    kept.set(key, std::move(names));
  }
  return kept;
}

}  // namespace

const IndexField* Bucket::field(std::string_view wanted) const {
  for (const IndexField& one : fields)
    if (one.name == wanted) return &one;
  return nullptr;
}

bool Bucket::reindexing(std::string_view wanted) const {
  if (reindex.object() == nullptr) return false;
  const auto& versions = reindex.object()->members();
  return std::any_of(versions.begin(), versions.end(), [&](const JsObject::Member& entry) {
    return contains_text(entry.second, wanted);
  });
}

std::vector<std::string> Bucket::reindexing_fields() const {
  std::vector<std::string> names;
  if (reindex.object() == nullptr) return names;
  for (const auto& [when, list] : reindex.object()->members())
    if (list.array() != nullptr)
      for (const JsValue& one : *list.array())
        if (one.string() != nullptr) names.push_back(*one.string());
  return names;
}

const IndexField* Bucket::usable_field(std::string_view wanted) const {
  const IndexField* found = field(wanted);
  return found != nullptr && !reindexing(wanted) ? found : nullptr;
}

void derive(Bucket& bucket) {
  bucket.fields.clear();
  for (const auto& [name, definition] : bucket.index.members()) {
    const JsValue* type = definition.get("type");
    const JsValue* unique = definition.get("unique");
    const auto known = type != nullptr && type->string() != nullptr
                           ? index_type_named(*type->string())
                           : std::nullopt;
    if (known)
      bucket.fields.push_back(
          {name, text::lower_ascii(name), *known, unique != nullptr && unique->truthy()});
  }
  const JsValue* version = bucket.options.find("version");
  bucket.version = version != nullptr && version->number() != nullptr ? *version->number() : 0;
  const JsValue* order = bucket.options.find("guaranteeOrder");
  bucket.guarantee_order = order != nullptr && order->truthy();
  bucket.triggers = classify_triggers(bucket.pre, bucket.post);
}

JsObject bucket_row(const Bucket& bucket) {
  JsObject row;
  row.set("name", bucket.name);
  row.set("index", stringify(bucket.index));
  row.set("pre", stringify(bucket.pre));
  row.set("post", stringify(bucket.post));
  row.set("options", stringify(bucket.options));
  row.set("mtime", to_iso(bucket.mtime));
  row.set("reindex_active",
          bucket.reindex.is_null() ? JsValue() : JsValue(stringify(bucket.reindex)));
  return row;
}

Result<BucketUpdate> update_bucket(const Bucket& stored, Bucket wanted, bool no_reindex) {
  if (stored.version != 0 && stored.version >= wanted.version)
    return errors::bucket_version(stored.name, wanted.version, stored.version);
  BucketUpdate update;
  for (const IndexField& field : wanted.fields) {
    const IndexField* before = stored.field(field.name);
    if (before == nullptr || !same_definition(*before, field)) update.added.push_back(field.name);
  }
  for (const IndexField& field : stored.fields) {
    const IndexField* after = wanted.field(field.name);
    if (after == nullptr || !same_definition(field, *after)) update.removed.push_back(field.name);
  }
  const bool append = wanted.version != 0 && !no_reindex;
  wanted.reindex = stored.reindex.is_null() && !append
                       ? JsValue()
                       : next_reindex(stored, wanted.version, update.added, update.removed, append);
  wanted.mtime = stored.mtime;
  update.bucket = std::move(wanted);
  return update;
}

}  // namespace objects
