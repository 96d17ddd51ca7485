#include "reshard/bucket_configs.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "backends/postgres/wire/identifier.hpp"
#include "json/nesting.hpp"

namespace reshard {
namespace {

using backends::postgres::Relation;
using backends::postgres::Rows;
using backends::postgres::Session;

bool keeps_reindexing(Session& session) {
  return session
             .run(
                 "SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass('buckets_config') AND "
                 "attname = 'reindex_active' AND NOT attisdropped")
             .count() > 0;
}

}  // namespace

bool BucketConfig::same(const BucketConfig& other) const {
  const auto parsed = [](const std::string& json) {
    return json::parse_bounded<nlohmann::json>(json);
  };
  return name == other.name && parsed(index) == parsed(other.index) &&
         parsed(pre) == parsed(other.pre) && parsed(post) == parsed(other.post) &&
         parsed(options.value_or("null")) == parsed(other.options.value_or("null"));
}

bool BucketConfig::keeps_order() const {
  const auto parsed = json::parse_bounded<nlohmann::json>(options.value_or("{}"));
  return parsed.is_object() && parsed.value("guaranteeOrder", false);
}

std::vector<BucketConfig> bucket_configs(Session& session) {
  std::vector<BucketConfig> configs;
  if (session.run("SELECT 1 WHERE to_regclass('buckets_config') IS NOT NULL").count() == 0)
    return configs;
  const std::string reindex = keeps_reindexing(session) ? "reindex_active" : "NULL::text";
  const Rows rows = session.run("SELECT name, index, pre, post, options, mtime, " + reindex +
                                " FROM buckets_config ORDER BY name COLLATE \"C\"");
  for (int i = 0; i < rows.count(); ++i)
    configs.push_back({rows.string(i, 0), rows.string(i, 1), rows.string(i, 2), rows.string(i, 3),
                       rows.value(i, 4), rows.value(i, 5), rows.value(i, 6)});
  return configs;
}

std::vector<BucketConfig> routed(std::vector<BucketConfig> all, const config::Buckets& kinds) {
  std::erase_if(all, [&](const BucketConfig& each) { return !is_routed(each.name, kinds); });
  return all;
}

bool is_routed(const std::string& bucket, const config::Buckets& kinds) {
  const auto in = [&](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), bucket) != names.end();
  };
  return !in(kinds.local) && !in(kinds.derived);
}

void add_bucket(Session& session, const BucketConfig& config) {
  if (config.reindex_active && !keeps_reindexing(session))
    session.run("ALTER TABLE buckets_config ADD COLUMN reindex_active text");
  // Looked for first: the trigger that keeps the list as it is fires for a line that is there, too.
  if (session.run("SELECT 1 FROM buckets_config WHERE name = $1", {config.name}).count() == 0) {
    backends::postgres::Parameters values{config.name, config.index,   config.pre,
                                          config.post, config.options, config.mtime};
    if (config.reindex_active) values.push_back(config.reindex_active);
    session.run(std::string("INSERT INTO buckets_config (name, index, pre, post, options, mtime") +
                    (config.reindex_active ? ", reindex_active" : "") +
                    ") VALUES ($1, $2, $3, $4, $5, $6::timestamp" +
                    (config.reindex_active ? ", $7" : "") + ")",
                values);
  }
  session.run("CREATE SEQUENCE IF NOT EXISTS " + Relation::named(config.name + "_serial"));
  if (!config.keeps_order()) return;
  const Relation order = Relation::named(config.name + "_locking_serial");
  session.run("CREATE TABLE IF NOT EXISTS " + order + " (id integer PRIMARY KEY)");
  session.run("INSERT INTO " + order + " SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM " + order + ")");
}

}  // namespace reshard
