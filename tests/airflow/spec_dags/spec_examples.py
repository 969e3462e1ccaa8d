"""The usage examples of the specification, word for word: one file, as they use one another's ``dag``."""

from airflow.configuration import conf

# Synchronous Execution

from datetime import datetime
from airflow import DAG
from airflow.providers.airbyte.operators.airbyte import AirbyteTriggerSyncOperator

dag = DAG(
'sync_example',
start_date=datetime(2024, 1, 1),
schedule_interval='@daily'
)

# Synchronous sync - waits for completion
sync_task = AirbyteTriggerSyncOperator(
task_id='sync_customer_data',
connection_id='{{ var.value.customer_connection_id }}',
airbyte_conn_id='airbyte_default',
timeout=1800, # 30 minutes
wait_seconds=10, # Check every 10 seconds
dag=dag
)

# Asynchronous Execution

from airflow.providers.airbyte.operators.airbyte import AirbyteTriggerSyncOperator
from airflow.providers.airbyte.sensors.airbyte import AirbyteJobSensor

# Async sync - returns job_id immediately
trigger_sync = AirbyteTriggerSyncOperator(
task_id='trigger_sync',
connection_id='connection-uuid-123',
asynchronous=True, # Return job_id without waiting
dag=dag
)

# Monitor completion with sensor
monitor_sync = AirbyteJobSensor(
task_id='monitor_sync',
airbyte_job_id="{{ task_instance.xcom_pull(task_ids='trigger_sync') }}",
timeout=3600,
dag=dag
)

trigger_sync >> monitor_sync

# Deferrable Execution

# Deferrable mode - uses async triggers
deferrable_sync = AirbyteTriggerSyncOperator(
task_id='deferrable_sync',
connection_id='connection-uuid-123',
deferrable=True, # Use async trigger mechanism
timeout=7200, # 2 hours
dag=dag
)

# Dynamic Connection IDs

# Using templated connection_id
dynamic_sync = AirbyteTriggerSyncOperator(
task_id='dynamic_sync',
connection_id='{{ dag_run.conf["connection_id"] }}', # From DAG run config
airbyte_conn_id='{{ var.value.airbyte_conn }}', # From Airflow variable
dag=dag
)

# Error Handling and Retries

from datetime import timedelta
from airflow.operators.bash import BashOperator
from airflow.utils.trigger_rule import TriggerRule

# Sync with custom retry configuration
robust_sync = AirbyteTriggerSyncOperator(
task_id='robust_sync',
connection_id='connection-uuid-123',
timeout=3600,
retries=3,
retry_delay=timedelta(minutes=5),
dag=dag
)

# Cleanup task that runs even if sync fails
cleanup_task = BashOperator(
task_id='cleanup',
bash_command='echo "Cleaning up after sync"',
trigger_rule=TriggerRule.ALL_DONE, # Run regardless of upstream status
dag=dag
)

robust_sync >> cleanup_task
