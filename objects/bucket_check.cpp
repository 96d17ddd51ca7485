// The checks of a bucket's name and configuration, in moray's order and words.
#include <algorithm>
#include <cmath>

#include "objects/bucket.hpp"
#include "objects/errors.hpp"
#include "objects/sql_keywords.hpp"
#include "objects/text.hpp"

namespace objects {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_letter_or_digit(char c) { return is_letter(c) || (c >= '0' && c <= '9'); }

/// `^[a-zA-Z]\w{0,62}$`
bool valid_bucket_name(std::string_view name) {
  if (name.empty() || name.size() > 63 || !is_letter(name.front())) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return is_letter_or_digit(c) || c == '_'; });
}

/// `_` and letters or digits; or a letter, and where more follows, a letter or digit at its end
/// with underscores between.
bool valid_index_name(std::string_view name) {
  if (name.empty()) return false;
  if (name.front() == '_')
    return name.size() > 1 && std::all_of(name.begin() + 1, name.end(), is_letter_or_digit);
  if (!is_letter(name.front()) || !is_letter_or_digit(name.back())) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return is_letter_or_digit(c) || c == '_'; });
}

bool reserved_index_name(std::string_view lower) {
  static constexpr std::string_view kReserved[] = {"_etag",     "_id",    "_idx",   "_key",
                                                   "_atime",    "_ctime", "_mtime", "_rver",
                                                   "_txn_snap", "_value", "_vnode"};
  return std::find(std::begin(kReserved), std::end(kReserved), lower) != std::end(kReserved);
}

bool begins_with_moray(std::string_view lower) {
  const std::size_t first = lower.find_first_not_of('_');
  return first != std::string_view::npos && lower.substr(first).starts_with("moray");
}

Error wrong(const std::string& path, const std::string& what) {
  return errors::invalid_bucket_config(path + " " + what);
}

std::string type_list() {
  std::string list;
  for (const std::string_view name : index_type_names())
    list += (list.empty() ? "\"" : ", \"") + std::string(name) + "\"";
  return list;
}

Failed check_index_entry(const std::string& name, const JsValue& entry) {
  const std::string path = "bucket.index['" + name + "']";
  if (entry.object() == nullptr) return wrong(path, "should be object");
  for (const auto& [member, value] : entry.object()->members())
    if (member != "type" && member != "unique")
      return wrong(path, "should NOT have additional properties");
  const JsValue* type = entry.get("type");
  if (type == nullptr) return wrong(path, "should have required property 'type'");
  if (type->string() == nullptr || !index_type_named(*type->string()))
    return wrong(path + ".type",
                 "should be equal to one of the allowed values (" + type_list() + ")");
  const JsValue* unique = entry.get("unique");
  if (unique != nullptr && unique->boolean() == nullptr)
    return wrong(path + ".unique", "should be boolean");
  return std::nullopt;
}

Failed check_index(const JsValue* index) {
  if (index == nullptr) return std::nullopt;
  if (index->object() == nullptr) return wrong("bucket.index", "should be object");
  if (index->object()->contains("hasOwnProperty"))
    return wrong("bucket.index.hasOwnProperty", "should NOT be valid");
  for (const auto& [name, entry] : index->object()->members())
    if (auto error = check_index_entry(name, entry)) return error;
  return std::nullopt;
}

Failed check_options(const JsValue* options) {
  if (options == nullptr) return std::nullopt;
  if (options->object() == nullptr) return wrong("bucket.options", "should be object");
  if (options->object()->contains("hasOwnProperty"))
    return wrong("bucket.options.hasOwnProperty", "should NOT be valid");
  if (const JsValue* version = options->get("version")) {
    const double* number = version->number();
    if (number == nullptr || *number != std::floor(*number))
      return wrong("bucket.options.version", "should be integer");
    if (*number < 0) return wrong("bucket.options.version", "should be >= 0");
  }
  for (const char* name : {"guaranteeOrder", "syncUpdates"})
    if (const JsValue* flag = options->get(name); flag != nullptr && flag->boolean() == nullptr)
      return wrong(std::string("bucket.options.") + name, "should be boolean");
  return std::nullopt;
}

Failed check_schema(const JsValue& config) {
  if (config.object()->contains("hasOwnProperty"))
    return wrong("bucket.hasOwnProperty", "should NOT be valid");
  if (auto error = check_index(config.get("index"))) return error;
  for (const char* name : {"pre", "post"})
    if (const JsValue* list = config.get(name); list != nullptr && list->array() == nullptr)
      return wrong(std::string("bucket.") + name, "should be array");
  return check_options(config.get("options"));
}

Failed check_triggers(const Bucket& bucket) {
  const auto any = [](const JsArray& sources, Source kind) {
    return std::any_of(sources.begin(), sources.end(), [kind](const JsValue& source) {
      return classify_source(to_text(source)) == kind;
    });
  };
  if (any(bucket.pre, Source::broken) || any(bucket.post, Source::broken))
    return errors::not_function("trigger not function");
  return std::nullopt;
}

Failed check_functions(const Bucket& bucket) {
  const auto all = [](const JsArray& sources) {
    return std::all_of(sources.begin(), sources.end(), [](const JsValue& source) {
      return classify_source(to_text(source)) == Source::function;
    });
  };
  if (!all(bucket.post)) return errors::not_function("post");
  if (!all(bucket.pre)) return errors::not_function("pre");
  return std::nullopt;
}

Failed check_index_names(const Bucket& bucket) {
  for (const auto& [name, definition] : bucket.index.members()) {
    const std::string lower = text::lower_ascii(name);
    if (!valid_index_name(name))
      return errors::invalid_bucket_config("invalid index name \"" + name + "\"");
    if (reserved_index_name(lower))
      return errors::invalid_bucket_config("index name \"" + name +
                                           "\" is reserved for use by Moray");
    if (begins_with_moray(lower))
      return errors::invalid_bucket_config("index names cannot start with \"moray\": \"" + name +
                                           "\"");
  }
  return std::nullopt;
}

Bucket with_defaults(const std::string& name, const JsValue& config) {
  Bucket bucket;
  bucket.name = name;
  if (const JsValue* index = config.get("index")) bucket.index = *index->object();
  if (const JsValue* pre = config.get("pre")) bucket.pre = *pre->array();
  if (const JsValue* post = config.get("post")) bucket.post = *post->array();
  if (const JsValue* options = config.get("options")) bucket.options = *options->object();
  if (!bucket.options.contains("version")) bucket.options.set("version", 0);
  derive(bucket);
  return bucket;
}

}  // namespace

bool reserved_bucket_name(std::string_view name) {
  return name == "buckets_config" || name == "moray" || name == "search";
}

Result<Bucket> check_bucket(const std::string& name, const JsValue& config) {
  if (auto error = check_schema(config)) return *error;
  Bucket bucket = with_defaults(name, config);
  if (bucket.options.contains("trackModification"))
    return errors::invalid_bucket_config("\"trackModification\" is no longer supported");
  if (auto error = check_triggers(bucket)) return *error;
  if (!valid_bucket_name(name) || reserved_bucket_name(name))
    return errors::invalid_bucket_name(name);
  if (auto error = check_functions(bucket)) return *error;
  if (auto error = check_index_names(bucket)) return *error;
  return bucket;
}

Failed check_sql_names(const std::string& bucket, const std::vector<IndexField>& fields) {
  if (sql_keyword(text::lower_ascii(bucket)))
    return errors::invalid_sql("syntax error at or near \"" + bucket + "\"");
  for (const IndexField& field : fields)
    if (sql_keyword(field.column))
      return errors::invalid_sql("syntax error at or near \"" + field.name + "\"");
  for (std::size_t i = 0; i < fields.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (fields[i].column == fields[j].column)
        return errors::invalid_sql("column \"" + fields[i].column + "\" specified more than once");
  return std::nullopt;
}

}  // namespace objects
